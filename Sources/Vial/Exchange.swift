import HTTP1
package import Platform

// Theory of operation
// ===================
//
// An `Exchange` decides what happens on one client's connection. It has no socket and no clock and keeps no bytes: a
// `Connection` reads, parses, calls the application, encodes and writes, and reports each result as an `Event`.
// `handle` returns the one `Action` that follows. All calls use one monotonic clock.
//
// A connection serves one request after another: it reads the head, then the body, gets the response, sends it, and
// reads on. `State` is the current step:
//
//     reading ──► answering ──► sending ──► reading …        the application has its response at once
//                    │  ▲          │ ▲
//                    ▼  │          ▼ │
//                  awaiting      blocked                     the response comes later; the socket's buffer is full
//
// `answering` and `sending` last no longer than the performer's call: only its own report ends them. The other states
// wait for the loop. Five rules explain the rest.
//
// 1. Nothing is read while a response is awaited or output is blocked, so TCP flow control slows down a client that
//    sends faster than it reads. One request is in flight at a time, so responses keep their order. Output that is
//    blocked while a response is awaited is sent with that response; requests received before may be answered into it,
//    within the bounds of rule 2.
// 2. Responses to pipelined requests are gathered while complete requests are available, and sent in one write. After
//    `Limits.pipelineDepthLimit` responses, `outputByteLimit` bytes of them, or a read that filled its buffer, the
//    connection yields to the loop's other connections. Gathered responses are sent before the connection waits for
//    anything.
// 3. A response that ends the connection is followed by a lingering close: the write side is shut down, further input
//    is dropped, and the socket closes when the client has closed its side, or when the byte limit or the time limit is
//    reached.
// 4. A body that is not needed, because the head alone decided the response, is read and dropped, so that the
//    connection can stay open, if the body ends within `Limits.droppedBodyByteLimit`. The response follows the body: a
//    fault in its framing then gives 400, as in any body. Otherwise the response is sent at once and ends the
//    connection.
// 5. A connection is timed out, displaced or closed as idle only after a last read of its socket (`Action.lookAgain`):
//    bytes may have arrived while the process was suspended.
//
// One timer runs, for `deadline`: that of the next request, a head, a body, a response, blocked output, the linger or
// the delivery. It is set when the wait begins, and progress does not extend it, so a slow client gains nothing.
//
// The drain adds three rules: from its first phase on every response ends its connection, and a close waits until the
// client's kernel has acknowledged everything; from `closing` on idle connections close; at `cutting` all do.

/// A connection's life as a pure state machine: an event in, an action out. See the theory above.
package struct Exchange: Sendable {
    /// Size at which gathered responses are sent even if more requests are available.
    package static let outputByteLimit = 65_536
    /// Bytes read and dropped after the last response, so that closing does not reset the connection before the client
    /// has read it (RFC 9112 §9.6). Many clients read only after sending their whole body, so the limit is several
    /// times the largest body.
    package static let lingerByteLimit = 16 * 1_048_576
    package static let lingerLimit = Duration.seconds(1)
    /// Time for a client that connects while the server closes to send its first request.
    package static let lastRequestLimit = Duration.seconds(1)
    /// Interval between two checks whether the client has acknowledged everything.
    package static let deliveryPause = Duration.milliseconds(20)

    /// The time limits of a server.
    package struct Times: Sendable {
        // In nanoseconds: a deadline is set for every request, without the arithmetic of a `Duration`.
        let keepAlive: UInt64
        let head: UInt64
        let body: UInt64
        let response: UInt64
        let write: UInt64

        package init(keepAlive: Duration, head: Duration, body: Duration, response: Duration, write: Duration) {
            self.keepAlive = keepAlive.nanoseconds
            self.head = head.nanoseconds
            self.body = body.nanoseconds
            self.response = response.nanoseconds
            self.write = write.nanoseconds
        }
    }

    /// How far the current or next message has been read.
    package enum Stage: Equatable, Sendable {
        /// No byte of it: the connection is idle.
        case idle
        case head
        case body
        /// The body of a request whose response is already decided; its bytes are dropped.
        case refusedBody
    }

    /// What follows once the output is sent.
    package enum Next: Equatable, Sendable {
        case read
        /// Reads on in the next loop iteration: other connections go first, because this client has sent more already.
        case yield
        case linger
    }

    package enum State: Equatable, Sendable {
        /// Bytes of a request. Becomes `answering`, `sending`, `yielding`, `delivering` or `closed`.
        case reading(Stage)
        /// The performer gets the response within this call. Becomes `awaiting` when the response is deferred;
        /// `reading` or `sending` when it was appended; `closed` when the socket fails.
        case answering
        /// A handler's response is awaited. Becomes `answering` when it arrives or its time is over; `closed` by the
        /// cut, and when gathered output cannot be sent or kept.
        case awaiting
        /// The performer writes the output within this call. Becomes what `Next` names, `blocked` or `closed`.
        case sending(Stage, then: Next)
        /// The socket's buffer is full. Becomes what `Next` names, or `closed`.
        case blocked(Stage, then: Next)
        /// Other connections go first. Becomes `reading` in the next loop iteration; `answering` when the memory budget
        /// has no room for the received bytes; `closed` by the cut, or when the socket fails.
        case yielding(Stage)
        /// The last response is sent; the end of the client's stream is awaited. Becomes `delivering` or `closed`.
        case lingering
        /// The process is ending; the client's acknowledgement of all data is awaited. Becomes `closed`.
        case delivering
        case closed
    }

    /// Why the socket is read once more before the connection ends.
    enum Look: Equatable {
        case none
        /// A deadline passed; a request that the read brings extends it.
        case timeout
        /// Another client needs the place.
        case displacement
        case drain
    }

    package private(set) var state = State.reading(.idle)
    /// Deadline of the current read or wait.
    var limit: Instant
    /// Replaces `limit` while output is blocked or its delivery is awaited; 0: none.
    var interim: Instant?
    var look = Look.none
    /// The value of `limit` when the last read began.
    var lookLimit = Instant(nanoseconds: 0)
    /// Responses gathered since the connection last yielded.
    var gathered = 0
    /// Bytes dropped from a refused body, or after the last response.
    var droppedByteCount = 0
    /// Whether the response to the request in flight ends the connection.
    var endsWithAnswer = false
    /// Whether input was dropped for lack of memory: the connection ends once the output is sent.
    var hasLostInput = false
    var hasServed = false
    /// Whether the server sent 504 in place of the handler.
    var isOverdue = false

    package init(at now: Instant, drain: Drain.Phase, _ times: Times) {
        limit = now.advanced(byNanoseconds: (drain.closesIdleConnections ? Self.lastRequestTime : times.keepAlive))
    }

    /// When the timer must report `.expired`.
    package var deadline: Instant { interim ?? limit }

    /// Whether received bytes are parsed.
    package var isReading: Bool { if case .reading = state { true } else { false } }

    /// Whether received bytes are dropped without parsing.
    package var isDropping: Bool { state == .lingering || state == .delivering }

    /// Whether unused input is dropped instead of kept.
    package var discardsInput: Bool { hasLostInput || isDropping || state == .closed }

    /// When the idle connection times out; nil while it has a request, part of one, or output.
    package var idleDeadline: Instant? { state == .reading(.idle) ? limit : nil }

    /// Whether a response would arrive too late for its request.
    package var discardsAnswers: Bool { isOverdue || state == .closed }

    /// How many bytes of the refused body may still be dropped.
    package var droppableByteCount: Int { Limits.droppedBodyByteLimit - droppedByteCount }

    /// Whether a request was admitted whose response is not in the output yet.
    package var isInFlight: Bool {
        switch state {
        case .answering, .awaiting: true
        case .reading(let stage), .sending(let stage, _), .blocked(let stage, _), .yielding(let stage):
            stage == .body || stage == .refusedBody
        case .lingering, .delivering, .closed: false
        }
    }

    /// The only entry point: takes an event, changes the state, returns the action that follows.
    ///
    /// - Parameters:
    ///   - now: not earlier than in the previous call.
    ///   - drain: the server's phase; it only moves forward.
    @inline(__always)
    package mutating func handle(_ event: Event, at now: Instant, drain: Drain.Phase, _ times: Times) -> Action {
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

    /// The only function that assigns `state`.
    @inline(__always)
    mutating func become(_ next: State) {
        state = next
    }

    func unexpected(_ event: StaticString) -> Never {
        fatalError("\(event) while \(state)")
    }
}
