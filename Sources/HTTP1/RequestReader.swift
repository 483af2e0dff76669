import Formatting

/// Splits one connection's bytes into requests: the state between two reads, without a socket.
///
/// The steps do not depend on how the bytes are split over calls.
public struct RequestReader: Sendable {
    /// The progress of a call, and the number of consumed bytes at the start of its input.
    public enum Step: Equatable, Sendable {
        /// All usable bytes were consumed; more are needed.
        case incomplete(used: Int)
        /// The head is complete; the body, if the framing announces one, follows in the next calls.
        case head(used: Int)
        /// The body is complete, and with it the message.
        case complete(used: Int)
    }

    /// The state between two calls.
    public enum State: Equatable, Sendable {
        /// Before the first byte of a message.
        case idle
        /// Within a head. The next call must pass the head's bytes again.
        case head
        /// Within a body of known length, of which this many bytes are missing.
        case body(remaining: Int)
        case chunks
    }

    public private(set) var state = State.idle
    private let limits: Limits
    private var parser: RequestParser
    private var decoder: ChunkedDecoder
    private var dropsBody = false

    public init(limits: Limits) {
        self.limits = limits
        parser = RequestParser(limits: limits)
        decoder = ChunkedDecoder(limits: limits)
    }

    /// Reads the next step.
    ///
    /// - Parameters:
    ///   - bytes: received and not reported as used.
    ///   - head: filled when `.head` is returned.
    ///   - body: body bytes are appended to it.
    /// - Throws: `ProtocolError`; no further message can be found in the stream, unless `dropBody(of:)` can follow.
    public mutating func read(
        _ bytes: Span<UInt8>, head: inout RequestHead, body: inout [UInt8]
    ) throws(ProtocolError) -> Step {
        switch state {
        case .idle, .head:
            guard let used = try parser.parse(bytes, into: &head) else {
                state = parser.hasBegun ? .head : .idle
                return .incomplete(used: 0)
            }
            beginBody(of: head, dropping: false)
            return .head(used: used)
        case .body(let remaining):
            let used = min(remaining, bytes.count)
            if used > 0 && !dropsBody { body.append(span: bytes.extracting(0..<used)) }
            state = used == remaining ? .idle : .body(remaining: remaining - used)
            return used == remaining ? .complete(used: used) : .incomplete(used: used)
        case .chunks:
            let used = try decoder.decode(bytes, into: &body)
            guard decoder.isComplete else { return .incomplete(used: used) }
            state = .idle
            return .complete(used: used)
        }
    }

    /// Has the body that follows a head checked as any other and dropped: the next step is that body's. It may also follow a head
    /// that was refused with `ProtocolError.bodyTooLarge` before its body began, which used `head.bytes.count` bytes.
    ///
    /// Chunks with more data than `Limits.droppedBodyByteLimit` are then `bodyTooLarge`.
    public mutating func dropBody(of head: RequestHead) {
        beginBody(of: head, dropping: true)
    }

    @inline(__always)
    private mutating func beginBody(of head: RequestHead, dropping: Bool) {
        dropsBody = dropping
        switch head.framing {
        case .none, .length(0): state = .idle
        case .length(let length): state = .body(remaining: length)
        case .chunked:
            state = .chunks
            decoder = ChunkedDecoder(limits: limits, takesContent: head.takesContent, keepsContent: !dropping)
        }
    }

    /// Whether the message whose head came last still has a body to read.
    public var expectsBody: Bool {
        switch state {
        case .body, .chunks: true
        case .idle, .head: false
        }
    }
}
