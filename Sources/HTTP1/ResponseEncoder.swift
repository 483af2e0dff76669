import Formatting

/// Encodes response heads, RFC 9112 §4–§6.
public enum ResponseEncoder {
    /// What the response says about the connection.
    public enum Persistence: Equatable, Sendable {
        /// It stays open, the default in HTTP/1.1.
        case keepAlive
        /// It stays open for an HTTP/1.0 client, which needs `Connection: keep-alive`.
        case keepAliveHTTP10
        /// It is closed: `Connection: close`.
        case close
    }

    /// Room for the literals and the numbers of any head, with the longest standard phrase.
    private static let fixedByteCount = 256

    /// Appends a whole response.
    ///
    /// The order is: status line, common fields, X-Request-Id, Content-Type, ETag, `fields`, Content-Length, Connection,
    /// blank line, body.
    ///
    /// - Parameters:
    ///   - status: 100…599.
    ///   - reason: nil: the standard phrase, empty for a status without one.
    ///   - contentType: nil: no Content-Type, unless `fields` has one.
    ///   - commonFields: lines created once a second for all responses, with Server and Date, without the last line's end.
    ///   - requestID: empty: no X-Request-Id. At most 512 bytes.
    ///   - entityTag: with its quotes, at most 256 bytes; empty: no ETag, unless `fields` has one.
    ///   - contentLength: nil: no Content-Length, for answers without content. Never written for 1xx and 204, where it is
    ///     forbidden (RFC 9110 §8.6).
    ///   - body: as sent: empty in the answer to HEAD.
    /// - Precondition: `reason`, `requestID` and `entityTag` contain no control characters.
    public static func encode(
        status: Int, reason: String?, contentType: StaticString?, fields: ResponseFields, commonFields: Span<UInt8>,
        requestID: Span<UInt8>, entityTag: Span<UInt8> = Span(), contentLength: Int?, persistence: Persistence,
        body: Span<UInt8>,
        into out: inout [UInt8]
    ) {
        precondition((100...599).contains(status), "no such status")
        precondition(
            requestID.count <= 512 && isText(requestID), "a request identifier that would split the response")
        if entityTag.count > 0 {
            precondition(
                entityTag.count <= 256 && !Grammar.hasControl(entityTag),
                "an entity tag that would split the response, or is too long")
        }
        precondition(contentLength ?? 0 >= 0, "a negative Content-Length")
        precondition(reason.map { isText($0.utf8.span) } ?? true, "a reason that would split the response")
        // All of it in one reservation: each append to an array would check its room and its uniqueness again.
        let texts = (contentType?.utf8CodeUnitCount ?? 0) + (reason?.utf8.count ?? 0)
        let count =
            fixedByteCount + texts + commonFields.count + requestID.count + entityTag.count + fields.bytes.count
            + body.count
        let fields = fields.bytes.span
        out.append(addingCapacity: count) { out in
            writeStatusLine(status, reason, into: &out)
            out.append(span: commonFields)
            if requestID.count > 0 {
                out.append(literal: "\r\nX-Request-Id: ")
                out.append(span: requestID)
            }
            if let contentType {
                out.append(literal: "\r\nContent-Type: ")
                out.append(literal: contentType)
            }
            out.append(literal: "\r\n")
            if entityTag.count > 0 {
                out.append(literal: "ETag: ")
                out.append(span: entityTag)
                out.append(literal: "\r\n")
            }
            out.append(span: fields)
            if let contentLength, status >= 200, status != 204 {
                out.append(literal: "Content-Length: ")
                out.append(decimal: contentLength)
                out.append(literal: "\r\n")
            }
            switch persistence {
            case .keepAlive: out.append(literal: "\r\n")
            case .keepAliveHTTP10: out.append(literal: "Connection: keep-alive\r\n\r\n")
            case .close: out.append(literal: "Connection: close\r\n\r\n")
            }
            out.append(span: body)
        }
    }

    private static func writeStatusLine(_ status: Int, _ reason: String?, into out: inout OutputSpan<UInt8>) {
        if reason == nil, let line = StatusLine.standard(status) {
            out.append(literal: line)
            return
        }
        out.append(literal: "HTTP/1.1 ")
        out.append(decimal: status)
        out.append(0x20)
        if let reason { out.append(span: reason.utf8.span) }
        out.append(literal: "\r\n")
    }

    /// Appends `100 Continue`, which lets the client send its body; the final answer follows later.
    public static func encodeContinue(into out: inout [UInt8]) {
        out.append(literal: "HTTP/1.1 100 Continue\r\n\r\n")
    }

    /// Whether a name is valid in Server: a token of at most 64 bytes.
    public static func isServerName(_ name: String) -> Bool {
        let bytes = Array(name.utf8)
        return bytes.count <= 64 && Grammar.isToken(bytes.span)
    }

    private static func isText(_ bytes: Span<UInt8>) -> Bool {
        Grammar.endOfFieldValue(in: bytes, from: 0, to: bytes.count) == bytes.count
    }
}
