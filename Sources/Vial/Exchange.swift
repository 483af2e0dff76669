import HTTP1

// Theory of operation
// ===================
//
// An `Exchange` decides what happens on one client's connection. It has no socket, no clock and no memory of bytes: a
// `Connection` reads, parses, calls the application, encodes and writes, and says what came of it as an `Event`. `handle`
// answers with the one `Action` that follows. Times are nanoseconds of any monotonic clock that the caller keeps to.
//
// A connection serves one request after another: it reads the head, then the body, has the request answered, sends the
// answer, and reads on. `State` says which of these it is in:
//
//     reading ──► answering ──► sending ──► reading …        the application had its response at once
//                    │  ▲          │ ▲
//                    ▼  │          ▼ │
//                  awaiting      blocked                     the response comes later; the socket's buffer is full
//
// `answering` and `sending` last no longer than the performer's call: nothing but its own report ends them. The others
// wait for the loop. Five rules explain the rest.
//
// 1. Nothing is read while a response is awaited or output is blocked: a client that sends faster than it reads is held
//    back by its own socket. One request is in flight at a time, so answers cannot change their order. Output that is
//    blocked while a response is awaited leaves with that response; requests that were received before may be answered
//    into it, within the bounds of rule 2.
// 2. Answers to pipelined requests are gathered while complete requests are at hand, and leave in one write. After
//    `Limits.pipelineDepthLimit` answers, `outputByteLimit` bytes of them, or a read that filled its buffer, the
//    connection yields to the loop's other clients. Before it waits for anything, what was gathered is sent.
// 3. An answer that ends the connection is followed by a lingering close: the write side is closed, what still comes is
//    dropped, and the socket closes when the client has finished, or too much or too much time was spent.
// 4. A body that is not needed, because the head alone decided the answer, is read and dropped, so that the connection
//    can go on, if it ends within `Limits.droppedBodyByteLimit`. The answer follows the body: a fault in its framing is then
//    answered 400, as in any body. Otherwise the answer is sent at once and ends the connection.
// 5. A connection is timed out, displaced or closed as idle only after a last look into its socket (`Action.lookAgain`):
//    the process may have been suspended while the bytes arrived.
//
// One timer runs, for `deadline`: that of the next request, a head, a body, a response, blocked output, the linger or the
// delivery. It is set when the wait begins and not moved by progress, so a slow client gains nothing.
//
// The drain adds three: from its first phase on every answer ends its connection and a close waits until the client's
// side has acknowledged everything; from `closing` on idle connections close; at `cutting` all do.

/// A connection's life as a pure state machine: an event in, an action out. See the theory above.
package struct Exchange: Sendable {
    /// Answers of pipelined requests leave in one write, but no later than at this size.
    package static let outputByteLimit = 65_536
    /// Read and dropped after the last answer, so that closing does not reset the connection before the client has read
    /// it (RFC 9112 §9.6). Many clients read only once they have sent a whole body: several times the largest.
    package static let lingerByteLimit = 16 * 1_048_576
    package static let lingerMilliseconds = 1000
    /// A client that connects while the server closes gets this long to send its first request.
    package static let lastRequestMilliseconds = 1000
    /// Between two looks whether the client's side has acknowledged everything.
    package static let deliveryPollMilliseconds = 20

    /// The time limits of a server, in nanoseconds.
    package struct Times: Sendable {
        package var keepAlive: UInt64
        package var head: UInt64
        package var body: UInt64
        package var response: UInt64
        package var write: UInt64

        package init(keepAlive: UInt64, head: UInt64, body: UInt64, response: UInt64, write: UInt64) {
            self.keepAlive = keepAlive
            self.head = head
            self.body = body
            self.response = response
            self.write = write
        }
    }

    /// How far the message is read that comes next or is being read.
    package enum Stage: Equatable, Sendable {
        /// Not a byte of it. The connection is idle.
        case idle
        case head
        case body
        /// The body of a request whose answer is known; its bytes are dropped.
        case refusedBody
    }

    /// What follows the output.
    package enum Next: Equatable, Sendable {
        case read
        /// A client that asked for more already lets the loop's others go first.
        case yield
        case linger
    }

    package enum State: Equatable, Sendable {
        /// Bytes of a request. Becomes `answering`, `sending`, `yielding`, `delivering` or `closed`.
        case reading(Stage)
        /// The performer gets the response, within this call. Becomes `awaiting` when it is deferred; `reading` or `sending`
        /// when it was appended; `closed` when the socket fails.
        case answering
        /// A handler's response is awaited. Becomes `answering` when it comes or its time is over; `closed` by the cut, and when
        /// gathered output cannot be sent or kept.
        case awaiting
        /// The performer writes the output, within this call. Becomes what follows, `blocked`, or `closed`.
        case sending(Stage, then: Next)
        /// Room for the rest of the output is awaited. Becomes what follows, or `closed`.
        case blocked(Stage, then: Next)
        /// The loop's other clients have their turn. Becomes `reading`; `answering` when there is no memory for what was
        /// received; `closed` by the cut, or when the socket fails.
        case yielding(Stage)
        /// Everything is said; the end of the client's stream is awaited. Becomes `delivering` or `closed`.
        case lingering
        /// The client's side is to acknowledge what the kernel holds, since the process ends. Becomes `closed`.
        case delivering
        case closed
    }

    /// Why a last look into the socket is taken.
    enum Look: Equatable {
        case none
        /// The time is over, unless a request that was read moved it.
        case timeout
        /// Another client needs the place.
        case displacement
        case drain
    }

    package private(set) var state = State.reading(.idle)
    /// When the time is over for what is being read or awaited.
    var limit: UInt64
    /// In place of `limit` while output is blocked or its delivery awaited; 0: none.
    var interim: UInt64 = 0
    var look = Look.none
    /// `limit` when the look began.
    var lookLimit: UInt64 = 0
    /// Answers since the loop's other clients had their turn.
    var gathered = 0
    /// Bytes dropped of a refused body, or of what came after the last answer.
    var droppedByteCount = 0
    /// Whether the connection ends with the answer to the request in flight.
    var endsWithAnswer = false
    /// Input was forgotten: the connection ends with the output.
    var hasLostInput = false
    var hasServed = false
    /// A handler had no response in time and its client was told so.
    var isOverdue = false

    /// An accepted connection.
    package init(at now: UInt64, drain: Drain.Phase, _ times: Times) {
        limit = now &+ (drain.closesIdleConnections ? Self.lastRequestTime : times.keepAlive)
    }

    /// The moment for which the timer is to be armed; it reports `.expired` then.
    package var deadline: UInt64 { interim == 0 ? limit : interim }

    /// Whether received bytes are parsed.
    package var isReading: Bool { if case .reading = state { true } else { false } }

    /// Whether received bytes are dropped unseen.
    package var isDropping: Bool { state == .lingering || state == .delivering }

    /// Whether bytes that were received and not used are not kept.
    package var discardsInput: Bool { hasLostInput || isDropping || state == .closed }

    /// The moment until which it is kept without a request; nil while it has one, a part of one, or output.
    package var idleDeadline: UInt64? { state == .reading(.idle) ? limit : nil }

    /// Whether a response would belong to no request: it comes too late.
    package var discardsAnswers: Bool { isOverdue || state == .closed }

    /// How many bytes of a refused body may still be dropped.
    package var droppableByteCount: Int { Limits.droppedBodyByteLimit - droppedByteCount }

    /// Whether a request was admitted that has no answer in the output yet.
    package var isInFlight: Bool {
        switch state {
        case .answering, .awaiting: true
        case .reading(let stage), .sending(let stage, _), .blocked(let stage, _), .yielding(let stage):
            stage == .body || stage == .refusedBody
        case .lingering, .delivering, .closed: false
        }
    }

    /// The one way in: takes what happened, says what follows.
    ///
    /// - Parameters:
    ///   - now: never earlier than in the call before.
    ///   - drain: the server's phase; it only moves forward.
    @inline(__always)
    package mutating func handle(_ event: Event, at now: UInt64, drain: Drain.Phase, _ times: Times) -> Action {
        switch event {
        case .readable: isReading ? .read : isDropping ? .drop : .wait
        case .writable: writable()
        case .expired: expire(at: now, drain)
        case .turnCame: takeTurn(drain)
        case .drainChanged: drainChanged(at: now, drain)
        case .displaced: displace()
        case .looked: endLook(drain)
        case .readFilled: yield()
        case .ended: end(drain)
        case .failed: close()
        case .dropped(let count, let filledBuffer): drop(count, filledBuffer)
        case .inputUsed: flush(.idle)
        case .partOfHead: readHead(at: now, times)
        case .partOfBody(let count): readBody(count)
        case .head(let head): begin(head, at: now, drain, times)
        case .bodyEnded: endBody()
        case .malformed(let error): refuse(error)
        case .outOfMemory(let shortage): runOut(of: shortage)
        case .deferred: awaitResponse(at: now, times)
        case .begun: begun()
        case .answered(let closes): conclude(closes, drain)
        case .appended(let count, let hasMoreInput): proceed(count, hasMoreInput, at: now, times)
        case .sent: sent(at: now, drain)
        case .sendBlocked: block(at: now, times)
        case .deliveryChecked(let isComplete): endDelivery(isComplete, at: now, times)
        }
    }

    /// Every change of state.
    @inline(__always)
    mutating func become(_ next: State) {
        state = next
    }

    func unexpected(_ event: StaticString) -> Never {
        fatalError("\(event) while \(state)")
    }
}

/// Milliseconds as nanoseconds.
func nanoseconds(_ milliseconds: Int) -> UInt64 { UInt64(milliseconds) &* 1_000_000 }
