public import HTTP1
import HTTPTypes

/// A document that stays the same while the process runs: its bytes with an entity tag.
public struct Document: Sendable {
    private let tag: EntityTag
    private let response: Response

    /// - Parameters:
    ///   - tag: another one for every other document at the same path.
    ///   - fields: further ones of its answers, such as Cache-Control; no ETag.
    public init(_ body: [UInt8], contentType: StaticString, tag: EntityTag, fields: ResponseFields = ResponseFields()) {
        self.tag = tag
        var response = Response(status: .ok, contentType: contentType, body: body)
        response.fields = fields
        response.fields.append(known: "ETag", String(decoding: tag.field, as: UTF8.self))
        self.response = response
    }

    /// The answer to a GET: the document, 304, or 412.
    ///
    /// - Throws: `HTTPError` 400 for malformed preconditions, 412.
    public func answer(to request: Request) throws -> Answer {
        switch try Preconditions(request).verdict(on: tag) {
        case .perform: return Answer(response)
        case .fail: throw HTTPError.preconditionFailed
        case .notModified:
            var unchanged = Response(status: .notModified)
            unchanged.fields = response.fields
            return Answer(unchanged)
        }
    }
}
