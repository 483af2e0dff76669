import Formatting
import HTTP1
import HTTPTypes
import Reactor

/// One client's connection, from accept to close: reads requests, has them answered in order, writes the answers. Used on
/// its loop's thread only.
///
/// The loop tells it what happened, and it goes on until it has to wait again: its `phase` says for what. What the bytes
/// mean is `RequestReader`'s to say. A handler that does not suspend is called in passing; one that does, by a `Runner`.
@safe final class Connection: ReadinessObserver, @unchecked Sendable {
    /// Answers of pipelined requests leave in one write, but no later than at this size, or at
    /// `Limits.pipelineDepthLimit` of them.
    private static let outputByteLimit = 65_536
    /// Buffers of an idle connection keep at most this much.
    private static let retainedByteLimit = 1024
    /// After a refusal the client may still be sending: so much is read and dropped, for so long, so that closing does not
    /// reset the connection before the client has read the answer (RFC 9112 §9.6). Many clients read only once they have
    /// sent a whole body, so it is several times the largest body that would have been taken.
    private static let lingerByteLimit = 16 * 1_048_576
    private static let lingerMilliseconds = 1000
    /// A client that connected right before the end gets this long to send its first request.
    private static let lastRequestMilliseconds = 1000

    /// What it waits for.
    private enum Phase: Equatable {
        /// Bytes of a request. Becomes any other.
        case reading
        /// A handler's response; nothing is read meanwhile. Becomes `.reading`.
        case responding
        /// Room in the socket for the rest of the output. Becomes what stands behind, or `.closed`.
        case sending(then: Next)
        /// The turn of the loop's other clients. Becomes `.reading` or `.closed`.
        case yielding
        /// The end of what the client sends, which nobody reads. Becomes `.closed`.
        case lingering
        /// Nothing any more.
        case closed
    }

    /// What follows once the output has left.
    private enum Next {
        case read
        /// A client that asked for more already lets the others go first: reading as fast as it asks, it would have the
        /// loop to itself otherwise.
        case yield
        case linger
    }

    private let worker: Worker
    private let socket: FileDescriptor
    private let readiness: Readiness
    private let peer: SocketAddress
    private let isPeerTrusted: Bool
    private var phase = Phase.reading
    private var reader: RequestReader
    private(set) var request = Request()
    private var plan: App.Plan?
    /// Received bytes; the first `used` of them are done with.
    private var input: [UInt8] = []
    private var used = 0
    /// Answers; the first `sent` bytes of them have left.
    private var output: [UInt8] = []
    private var sent = 0
    /// Answers since the other clients of the loop had their turn.
    private var gathered = 0
    /// When what is being read must be there.
    private var readDeadline: UInt64 = 0
    private var isHeadTimed = false
    private var hasServed = false
    /// What was read and dropped at the end.
    private var dropped = 0

    init(_ socket: consuming FileDescriptor, peer: SocketAddress, worker: Worker) throws(SystemError) {
        self.worker = worker
        self.peer = peer
        isPeerTrusted = worker.trusts(peer)
        reader = RequestReader(limits: worker.options.limits)
        readiness = try Readiness(socket.number, on: worker.loop)
        self.socket = socket
    }

    /// Serves the client until either side has had enough.
    func serve() {
        readiness.notify(self)
        let isLast = worker.drain.phase >= .closing
        expectBytes(within: isLast ? Self.lastRequestMilliseconds : worker.options.keepAliveTimeout)
    }

    func becameReadable() {
        switch phase {
        case .reading: receive()
        case .lingering: drop()
        // Its readiness remembers it.
        case .responding, .sending, .yielding, .closed: break
        }
    }

    func becameWritable() {
        guard case .sending(let next) = phase else { return }
        send(then: next)
        resume()
    }

    func expired() {
        switch phase {
        case .reading where reader.state == .idle:
            // A request that came in time, to a process that was not running, must not be met by a reset.
            expectBytes(within: worker.options.keepAliveTimeout)
            receive(isLast: true)
        case .reading: timeOut()
        case .sending, .lingering: end()
        // To be met again when it reads on.
        case .yielding: readiness.arm(expiry: worker.loop.now)
        // The request's deadline is the handler's, and reading on sets another.
        case .responding, .closed: break
        }
    }

    /// The drain has come to another phase.
    func interrupt() {
        let isCut = worker.drain.phase >= .cutting
        switch phase {
        case .reading:
            if isCut { return end() }
            guard worker.drain.phase == .closing && reader.state == .idle else { return }
            // The last moment for a request that is on its way.
            if hasServed {
                receive(isLast: true)
            } else {
                expectBytes(within: Self.lastRequestMilliseconds)
            }
        case .sending, .lingering: if isCut { end() }
        case .responding, .yielding, .closed: break
        }
    }

    /// The handler's response to `request`.
    func respond(_ response: Response) {
        precondition(phase == .responding, "a response while \(phase)")
        phase = .reading
        complete(response)
        resume()
    }

    /// Goes on reading after a wait for something else.
    private func resume() {
        if phase == .reading { advance() }
        if phase == .reading { receive() }
    }

    /// Reads what the socket has, and answers what is complete.
    ///
    /// - Parameter isLast: reads in any case, and closes without a word when nothing is there.
    private func receive(isLast: Bool = false) {
        while phase == .reading && (readiness.mayRead || isLast) {
            // The scratch is this loop's, and its bytes are copied before anything else can use it.
            guard let attempt = try? unsafe socket.read(into: worker.scratch) else { return end() }
            switch attempt {
            case .done(0): return end()
            case .done(let count):
                // Also with a part of a request left: a client that always sends one would make the buffer grow for ever.
                if used > 0 {
                    input.removeFirst(used)
                    used = 0
                }
                unsafe input.append(contentsOf: UnsafeRawBufferPointer(rebasing: worker.scratch[..<count]))
                if count == Worker.readByteLimit {
                    // There is more to read, and the others' turn comes before it.
                    yield()
                } else {
                    readiness.readDrained()
                    advance()
                }
            case .wouldBlock:
                readiness.readDrained()
                if isLast { return end() }
            }
            if isLast { return }
        }
    }

    /// Answers what was received, as far as nothing has to be waited for, and sends the answers.
    private func advance() {
        while phase == .reading {
            let step: RequestReader.Step
            do {
                // A span of `self.input` itself would have to end before `self` may change.
                let input = input
                step = try reader.read(input.span.extracting(used...), head: &request.head, body: &request.body)
            } catch {
                return refuse(.malformed(error), HTTPError(error), isHeadComplete: error.isHeadComplete)
            }
            switch step {
            case .incomplete(let count):
                consume(count)
                if reader.state == .head && !isHeadTimed {
                    isHeadTimed = true
                    expectBytes(within: worker.options.headerTimeout)
                }
                if !output.isEmpty { send(then: .read) }
                return
            case .head(let count):
                consume(count)
                begin()
                if reader.expectsBody { prepareForBody() } else { answer() }
            case .complete(let count):
                consume(count)
                answer()
            }
        }
    }

    /// The head is complete: names the request, and finds out what it leads to.
    private func begin() {
        isHeadTimed = false
        request.start = worker.loop.now
        request.peer = peer
        request.isPeerTrusted = isPeerTrusted
        request.method = HTTPRequest.Method(of: request.head)
        worker.requestID.choose(for: request.head, isPeerTrusted: isPeerTrusted, into: &request.requestIDBytes)
        worker.observe(.started)
        plan = worker.app.plan(for: request)
    }

    /// Before the body is read: refuses what the head alone decides, and tells a client that asked to go on.
    private func prepareForBody() {
        if case .answer(var response) = plan {
            response.closes = true
            finish(response)
            return send(then: .linger)
        }
        expectBytes(within: worker.options.bodyTimeout)
        // A client that has sent some of the body already is not waiting (RFC 9110 §10.1.1).
        if request.head.expectsContinue && used == input.count {
            ResponseEncoder.encodeContinue(into: &output)
            send(then: .read)
        }
    }

    /// Answers the complete request, or has it answered.
    private func answer() {
        switch plan {
        case .answer(let response): complete(response)
        case .immediate(let handler): complete(worker.app.run(handler, request))
        case .suspending(let handler):
            phase = .responding
            worker.run(handler, for: self)
        case nil: fatalError("a request without a plan was complete")
        }
    }

    /// Takes the response to the complete request, and makes ready for the next one.
    private func complete(_ response: Response) {
        let goesOn = finish(response)
        hasServed = true
        guard goesOn else { return send(then: .linger) }
        if isKnownUniquelyReferenced(&request) {
            Self.empty(&request.body)
        } else {
            request = Request()
        }
        expectBytes(within: worker.options.keepAliveTimeout)
        gathered += 1
        if output.count >= Self.outputByteLimit || gathered >= Limits.pipelineDepthLimit {
            gathered = 0
            send(then: .yield)
        }
    }

    /// Appends the answer to the output and reports it.
    ///
    /// - Returns: whether the connection may go on.
    @discardableResult
    private func finish(_ response: Response) -> Bool {
        plan = nil
        let goesOn = request.head.keepAlive && !response.closes && !worker.drain.isDraining
        encode(response, persists: goesOn)
        let elapsed = EventLoop.monotonicNanoseconds() &- request.start
        worker.observe(
            .completed(
                request, status: response.status.code, bytes: request.method == .head ? 0 : response.body.count,
                nanoseconds: elapsed,
                failure: response.failure))
        return goesOn
    }

    private func encode(_ response: Response, persists: Bool) {
        let status = response.status.code
        // RFC 9110 §8.6: these have no content, and say no length.
        let hasContent = status != 204 && status != 304 && status >= 200
        let isBodySent = hasContent && request.method != .head
        ResponseEncoder.encode(
            status: status, reason: nil, contentType: response.contentType, fields: response.fields,
            date: worker.date.bytes(at: worker.loop.now), requestID: request.requestIDBytes,
            contentLength: hasContent ? response.body.count : nil,
            persistence: persists ? (request.head.isHTTP11 ? .keepAlive : .keepAliveHTTP10) : .close,
            body: isBodySent ? response.body : [], into: &output)
    }

    /// Answers what cannot be a request, after what was asked before it, and closes.
    ///
    /// - Parameter isHeadComplete: whether `request` says what it was.
    private func refuse(_ refusal: ServerEvent.Refusal, _ error: HTTPError, isHeadComplete: Bool) {
        worker.observe(.refused(refusal))
        if plan == nil {
            if isHeadComplete { begin() } else { beginNothing() }
        }
        var response = error.response(to: request)
        response.closes = true
        response.failure = refusal
        finish(response)
        send(then: .linger)
    }

    /// There is no head to go by: an empty request takes the place of the one that cannot be read.
    private func beginNothing() {
        request = Request()
        request.start = worker.loop.now
        request.peer = peer
        request.isPeerTrusted = isPeerTrusted
        request.method = Request.unreadableMethod
        worker.requestID.make(into: &request.requestIDBytes)
        worker.observe(.started)
    }

    /// The time for what is being read is over.
    private func timeOut() {
        switch reader.state {
        case .idle: fatalError("an idle connection closes without a word")
        case .head:
            let error = HTTPError(.requestTimeout, "The request's head took too long.")
            refuse(.headTimedOut, error, isHeadComplete: false)
        case .body, .chunks:
            let error = HTTPError(.requestTimeout, "The request's body took too long.")
            refuse(.bodyTimedOut, error, isHeadComplete: true)
        }
    }

    @inline(__always)
    private func expectBytes(within milliseconds: Int) {
        readDeadline = worker.moment(in: milliseconds)
        readiness.arm(expiry: readDeadline)
    }

    /// Empties a buffer, and gives its memory back when that is more than an idle connection should hold.
    private static func empty(_ buffer: inout [UInt8]) {
        if buffer.capacity > retainedByteLimit { buffer = [] } else { buffer.removeAll(keepingCapacity: true) }
    }

    private func consume(_ count: Int) {
        used += count
        guard used == input.count else { return }
        Self.empty(&input)
        used = 0
    }

    /// Sends the output, waiting for room where there is none, then goes on.
    private func send(then next: Next) {
        while sent < output.count {
            // The bytes are copied by the kernel before the call returns.
            let attempt = unsafe output.withUnsafeBytes { bytes in
                try? unsafe socket.send(UnsafeRawBufferPointer(rebasing: bytes[sent...]))
            }
            switch attempt {
            case .done(let count)?: sent += count
            case .wouldBlock?:
                readiness.writeBlocked()
                // One limit for the whole output, however often a little of it leaves.
                if case .sending = phase { return }
                phase = .sending(then: next)
                readiness.arm(expiry: worker.moment(in: worker.options.writeTimeout))
                return
            case nil: return end()
            }
        }
        Self.empty(&output)
        sent = 0
        if case .sending = phase {
            phase = .reading
            readiness.arm(expiry: readDeadline)
        }
        switch next {
        case .read: break
        case .yield: if used < input.count { yield() }
        case .linger: linger()
        }
    }

    /// Reads on when the loop's other clients had their turn.
    private func yield() {
        phase = .yielding
        worker.loop.atNextTurn { [self] in
            guard phase == .yielding else { return }
            phase = .reading
            resume()
        }
    }

    /// Everything is said: waits until the client has read it.
    private func linger() {
        phase = .lingering
        socket.shutdownWrite()
        expectBytes(within: Self.lingerMilliseconds)
        drop()
    }

    private func drop() {
        while readiness.mayRead {
            // As in `receive`; the bytes are dropped.
            guard let attempt = try? unsafe socket.read(into: worker.scratch) else { return end() }
            switch attempt {
            case .done(0): return end()
            case .done(let count):
                dropped += count
                if dropped >= Self.lingerByteLimit { return end() }
                if count < Worker.readByteLimit {
                    readiness.readDrained()
                } else {
                    worker.loop.atNextTurn { [self] in if phase == .lingering { drop() } }
                    return
                }
            case .wouldBlock: readiness.readDrained()
            }
        }
    }

    private func end() {
        phase = .closed
        if plan != nil { worker.observe(.abandoned) }
        plan = nil
        readiness.cancel()
        worker.closed(self)
    }
}
