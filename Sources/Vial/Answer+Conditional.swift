import Formatting
import HTTP1
public import HTTPTypes

// Answers with an entity tag, and answers to conditional requests.
extension Answer {
    /// A read's answer, as the request's conditions decide: the value with its entity tag, 304, or 412. It may be
    /// stored and must be revalidated before each use.
    ///
    /// - Throws: `HTTPError` 412.
    @inline(__always)
    public static func json(_ value: some Tagged, if conditions: Preconditions) throws -> Answer {
        if !conditions.isEmpty, let decided = try notModified(value.entityTag, if: conditions) { return decided }
        var json = JSONWriter(reserving: value.byteEstimate)
        try value.write(to: &json)
        guard let tag = value.entityTagRange(inJSON: json.bytes.count),
            let response = Response(
                status: .ok, contentType: "application/json", fields: .revalidated, body: json.bytes, tag: tag)
        else {
            return try Answer(status: .ok, contentType: "application/json", body: json.bytes)
                .revalidated(with: value.entityTag)
        }
        return Answer(response)
    }

    /// The same for an answer that `make` creates, of which the tag is known before.
    ///
    /// - Parameter make: called unless the answer is 304 or 412. Adds no ETag, Cache-Control or Vary.
    /// - Throws: `HTTPError` 412, and what `make` throws.
    public static func tagged(
        _ tag: EntityTag, if conditions: Preconditions, _ make: () throws -> Answer
    ) throws -> Answer {
        if !conditions.isEmpty, let decided = try notModified(tag, if: conditions) { return decided }
        return try make().revalidated(with: tag)
    }

    /// `application/json` with the value's entity tag: for a write's answer.
    public static func json(tagged value: some Tagged, status: HTTPResponse.Status = .ok) throws -> Answer {
        var json = JSONWriter(reserving: value.byteEstimate)
        try value.write(to: &json)
        guard let tag = value.entityTagRange(inJSON: json.bytes.count),
            let response = Response(
                status: status, contentType: "application/json", fields: ResponseFields(), body: json.bytes, tag: tag)
        else {
            return try Answer(status: status, contentType: "application/json", body: json.bytes)
                .field("ETag", utf8: value.entityTag.field)
        }
        return Answer(response)
    }

    /// An answer without content that a client prefers (`Request.prefersMinimal`).
    ///
    /// - Parameter tag: that of the state after a write.
    public static func minimal(
        status: HTTPResponse.Status = .noContent, tag: EntityTag? = nil
    ) throws -> Answer {
        var response = Response(status: status)
        if let tag { try response.fields.append(literal: "ETag", utf8: tag.field.span) }
        response.fields.append(literal: "Preference-Applied", "return=minimal")
        return Answer(response)
    }

    /// Not inlined: most reads have no conditions.
    @inline(never)
    private static func notModified(_ tag: EntityTag, if conditions: Preconditions) throws -> Answer? {
        switch conditions.verdict(on: tag) {
        case .perform: return nil
        case .fail: throw HTTPError.preconditionFailed
        // With the fields that the 200 would have (RFC 9110 §15.4.5).
        case .notModified:
            if let response = Response(
                status: .notModified, fields: .revalidated, body: tag.field, tag: tag.field.indices)
            {
                return Answer(response)
            }
            return try Answer(status: .notModified).revalidated(with: tag)
        }
    }

    private func revalidated(with tag: EntityTag) throws -> Answer {
        try changed { response in
            response.fields.append(.revalidated)
            try response.fields.append(literal: "ETag", utf8: tag.field.span)
        }
    }
}

extension ResponseFields {
    /// Of a response that may be stored, and is compared with the current state before each use. A proxy that
    /// compresses makes several representations of one state.
    fileprivate static let revalidated: ResponseFields = {
        var fields = ResponseFields()
        fields.append(literal: "Cache-Control", "no-cache")
        fields.append(literal: "Vary", "Accept-Encoding")
        return fields
    }()
}

extension Response {
    /// The value of `ETag`; nil without one.
    public var entityTag: String? {
        if entityTagByteCount == 0 { return fields.value("ETag") }
        return String(decoding: body[entityTagRange], as: UTF8.self)
    }
}
