import HTTPTypes
import Vial

/// A text as an answer.
func text(_ body: String) -> Response {
    Response(status: .ok, contentType: "text/plain", body: Array(body.utf8))
}

extension Response {
    var text: String { String(decoding: body, as: UTF8.self) }
}

extension Response {
    /// The media type of its body, nil without one.
    var type: String? { contentType?.description }
}
