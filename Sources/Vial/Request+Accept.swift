import Formatting
import HTTP1
import HTTPTypes

extension Request {
    /// The refusal when `Accept` excludes every media type that the answer may have (RFC 9110 §12.5.1); nil when it does
    /// not.
    ///
    /// - Parameter types: in lower case and without parameters; none when the answer may be anything.
    func acceptRefusal(offering types: [String]) -> HTTPError? {
        let isAccepted = types.isEmpty || types.contains { weight(of: $0) > 0 }
        return isAccepted ? nil : .notAcceptable(types)
    }

    /// How much the client wants a media type, in thousandths; 0 refuses it, 1000 also stands for a request without
    /// `Accept`.
    ///
    /// - Parameter type: in lower case and without parameters: `application/json`.
    public func weight(of type: String) -> Int {
        guard let range = head.firstRange(of: .accept) else { return AcceptField.fullWeight }
        let bytes = head.bytes
        if !head.fields.isRepeated(.accept) {
            let text = bytes.span.extracting(range)
            // What most programs send.
            if text.equals("*/*") || text.equals(type.utf8.span) { return AcceptField.fullWeight }
            return AcceptField(text).weight(of: type)
        }
        let text = Array(head.values("Accept").joined(separator: ",").utf8)
        return AcceptField(text.span).weight(of: type)
    }
}

extension HTTPError {
    fileprivate static func notAcceptable(_ types: [String]) -> HTTPError {
        let names = types.joined(separator: " or ")
        return HTTPError(.notAcceptable, "The answer is \(names), which the request does not accept.")
    }
}
