package import HTTP1

extension Exchange {
    /// What the performer reports. The comments name the states in which it may; in any other it is a bug and traps,
    /// except where they say that it is ignored.
    package enum Event: Equatable, Sendable {
        /// The loop reports that a read is worth a try. Any state; ignored while nothing is read.
        case readable
        /// The loop reports that a write is worth a try. Any state; ignored unless output is blocked.
        case writable
        /// The timer fired that shows `deadline`. Any state.
        case expired
        /// The loop's other clients had their turn, after `.yield` or `.dropLater`. Any state.
        case turnCame
        /// The drain has come to another phase. Any state.
        case drainChanged
        /// Another client needs the place of an idle connection. Any state; ignored unless it is idle.
        case displaced
        /// After `.lookAgain`: all was read that the socket had. Any state.
        case looked

        /// A read filled its buffer: there is more, and the bytes are kept. `reading`.
        case readFilled
        /// The client has finished: a read gave no bytes. `reading`, `lingering`, `delivering`.
        case ended
        /// The socket failed, in a read or a write. Any state but `closed`.
        case failed
        /// So many bytes were read and dropped after the last answer. `lingering`, `delivering`.
        case dropped(byteCount: Int, filledBuffer: Bool)

        /// All bytes received were used, and no message has begun. `reading(.idle)`.
        case inputUsed
        /// All bytes received are part of an unfinished head. `reading(.idle)`, `reading(.head)`.
        case partOfHead
        /// So many bytes were read of an unfinished body. `reading(.body)`, `reading(.refusedBody)`.
        case partOfBody(byteCount: Int)
        /// A head is complete, and its request is admitted. `reading(.idle)`, `reading(.head)`.
        case head(Head)
        /// The body is complete, and with it the message. `reading(.body)`, `reading(.refusedBody)`.
        case bodyEnded
        /// What was received can be no message, or not be kept reading as one. `reading`.
        case malformed(ProtocolError)
        /// The process has no memory left for something. `reading`, `yielding` and `answering` for a request; any for input
        /// behind one; `sending` for output.
        case outOfMemory(Shortage)

        /// The response comes later. `answering`. The performer then begins what it waits for.
        case deferred
        /// What a deferred response waits for was begun. `awaiting`. It may be left out when there is no output.
        case begun
        /// The response to the request in flight is there. `answering`, `awaiting`; ignored after a `.answerOverdue` or when
        /// the connection was closed meanwhile.
        case answered(closes: Bool)
        /// After `.append`. `answering`.
        case appended(outputByteCount: Int, hasMoreInput: Bool)
        /// After `.send`: all output has left. `sending`, `blocked`, `awaiting`.
        case sent
        /// After `.send`: the socket takes no more for now. `sending`, `blocked`, `awaiting`.
        case sendBlocked
        /// After `.checkDelivery`. Any state but `closed`.
        case deliveryChecked(isComplete: Bool)
    }

    /// The parts of a head that the exchange depends on.
    package struct Head: Equatable, Sendable {
        /// As the head declares it.
        package var body = BodyFraming.none
        /// Whether the head alone decides the answer, so that the body is of no use.
        package var isDecided = false
        /// Whether the client, and the answer that is decided, let the connection stay open.
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

    /// What there is no memory for.
    package enum Shortage: Equatable, Sendable {
        /// The request that is being read.
        case request
        /// Bytes to keep that were received and not used.
        case input
        /// Output that the client does not take.
        case output
    }
}
