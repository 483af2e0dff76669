package import HTTP1

extension Exchange {
    /// What the performer reports. The comments name the states in which an event is allowed; in any other it is a bug
    /// and traps, unless the comment says that it is ignored.
    package enum Event: Equatable, Sendable {
        /// The loop reports that a read may succeed. Any state; ignored while nothing is read.
        case readable
        /// The loop reports that a write may succeed. Any state; ignored unless output is blocked.
        case writable
        /// The timer for `deadline` fired. Any state.
        case expired
        /// The next loop iteration has come, after `.yield` or `.dropLater`. Any state.
        case turnCame
        /// The drain has entered another phase. Any state.
        case drainChanged
        /// Another client needs a place. Any state; ignored unless the connection is idle.
        case displaced
        /// After `.lookAgain`: the socket has been read until it would block. Any state.
        case looked

        /// A read filled the buffer: there may be more, and the bytes are kept. `reading`.
        case readFilled
        /// The client closed its write side: a read returned 0 bytes. `reading`, `lingering`, `delivering`.
        case ended
        /// A read or write failed. Any state but `closed`.
        case failed
        /// `byteCount` bytes were read and dropped after the last response. `lingering`, `delivering`.
        case dropped(byteCount: Int, filledBuffer: Bool)

        /// All received bytes were used, and no message has begun. `reading(.idle)`.
        case inputUsed
        /// All received bytes are part of an unfinished head. `reading(.idle)`, `reading(.head)`.
        case partOfHead
        /// `byteCount` bytes of an unfinished body were read. `reading(.body)`, `reading(.refusedBody)`.
        case partOfBody(byteCount: Int)
        /// A head is complete, and its request is admitted. `reading(.idle)`, `reading(.head)`.
        case head(Head)
        /// The body is complete, and with it the message. `reading(.body)`, `reading(.refusedBody)`.
        case bodyEnded
        /// The received bytes are not a valid message, or exceed a limit. `reading`.
        case malformed(ProtocolError)
        /// The memory budget has no room. For the request: `reading`, `yielding`, `answering`; for input behind it: any
        /// state; for output: `sending`.
        case outOfMemory(Shortage)

        /// The response comes later. `answering`. The performer then starts the work.
        case deferred
        /// The work behind a deferred response was started. `awaiting`. May be omitted when there is no output.
        case begun
        /// The request in flight has its response. `answering`, `awaiting`; ignored after `.answerOverdue` or once the
        /// connection is closed.
        case answered(closes: Bool)
        /// After `.append`. `answering`.
        case appended(outputByteCount: Int, hasMoreInput: Bool)
        /// After `.send`: all output was sent. `sending`, `blocked`, `awaiting`.
        case sent
        /// After `.send`: the socket's buffer is full. `sending`, `blocked`, `awaiting`.
        case sendBlocked
        /// After `.checkDelivery`. Any state but `closed`.
        case deliveryChecked(isComplete: Bool)
    }

    /// The parts of a head on which the exchange depends.
    package struct Head: Equatable, Sendable {
        /// Body framing as the head declares it.
        package var body = BodyFraming.none
        /// Whether the head alone decides the response, so that the body is not needed.
        package var isDecided = false
        /// Whether the client, and the response if it is decided, allow the connection to stay open.
        package var keepsAlive = true
        package var expectsContinue = false
        /// Whether bytes behind the head were received with it.
        package var hasMoreInput = false

        package init(
            body: BodyFraming = .none, isDecided: Bool = false, keepsAlive: Bool = true, expectsContinue: Bool = false,
            hasMoreInput: Bool = false
        ) {
            self.body = body
            self.isDecided = isDecided
            self.keepsAlive = keepsAlive
            self.expectsContinue = expectsContinue
            self.hasMoreInput = hasMoreInput
        }
    }

    /// What the memory budget has no room for.
    package enum Shortage: Equatable, Sendable {
        /// The request that is being read.
        case request
        /// Received bytes that cannot be used yet.
        case input
        /// Output that the client does not read.
        case output
    }
}
