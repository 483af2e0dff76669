import Formatting

/// Parses request heads, RFC 9112 §2–§5, and refuses ambiguous ones.
///
/// Whether a message is accepted, and why not, depends on its bytes only, never on how they were split. After an error
/// the parser must not be used again, except after `bodyTooLarge`: then the head is complete and its framing is valid.
public struct RequestParser: Sendable {
    private let limits: Limits
    private var line = RequestLineParser()
    private var lineIsComplete = false
    private var fields: FieldParser

    /// A parser for the first message of a connection.
    public init(limits: Limits) {
        self.limits = limits
        fields = FieldParser(limits: limits, start: 0)
    }

    /// Whether a byte of an unfinished message was read; an empty line before the message does not count. If the client
    /// closes its side while this is true, the message is incomplete.
    public var hasBegun: Bool { line.hasBegun }

    /// Continues a message after the last call.
    ///
    /// - Parameters:
    ///   - bytes: everything received since the last complete message, from the first byte of this one on; never less
    ///     than in the previous call.
    ///   - head: the same in every call for one message. It is cleared when a message begins, and its contents are
    ///     meaningless until this returns a number. Exception: after an error with `isHeadComplete`, which refuses a
    ///     well-formed head, it is complete.
    /// - Returns: nil when the head is incomplete. Else the number of its bytes, including its blank line and a skipped
    ///   empty line before it; the parser is then ready for the next message.
    public mutating func parse(
        _ bytes: Span<UInt8>, into head: inout RequestHead
    ) throws(ProtocolError) -> Int? {
        if !lineIsComplete {
            if !line.hasBegun { head.reset() }
            guard let lineEnd = try line.parse(bytes, into: &head) else { return nil }
            fields = FieldParser(limits: limits, start: lineEnd)
            lineIsComplete = true
        }
        guard let end = try fields.parse(bytes, into: &head) else { return nil }
        try fields.finish(bytes, authority: line.authority, isHTTPS: line.schemeIsHTTPS, into: &head)
        head.bytes.append(span: bytes.extracting(0..<end))
        if fields.hasUnknownExpectation { throw .unsupportedExpectation }
        switch head.framing {
        // The first chunk decides whether a chunked body has content.
        case .none, .length(0), .chunked: break
        case .length where !head.takesContent: throw .unexpectedContent
        case .length(let length) where length > limits.bodyByteLimit:
            reset()
            throw .bodyTooLarge
        case .length: break
        }
        reset()
        return end
    }

    /// Makes it ready for the next message.
    @inline(__always)
    private mutating func reset() {
        line = RequestLineParser()
        lineIsComplete = false
    }
}
