import Formatting
import HTTP1
import HTTPTypes
import Reactor

/// One client's connection, from accept to close: reads requests, has them answered in order, writes the answers. Used on
/// its loop's thread only.
///
/// The loop tells it what happened, and it goes on until it has to wait again: its `phase` says for what. What the bytes
/// mean is `RequestReader`'s to say. A handler is called in passing; what it returns says whether its answer is there.
@safe final class Connection: ReadinessObserver, AnswerReceiver, @unchecked Sendable {
    /// Answers of pipelined requests leave in one write, but no later than at this size, or at
    /// `Limits.pipelineDepthLimit` of them.
    private static let outputByteLimit = 65_536
    /// An idle connection keeps at most this much of a body's memory.
    private static let retainedByteLimit = 1024
    /// Buffers are counted in the process's memory from here on; below, they are among what every connection takes
    /// (`ConnectionQuota.connectionByteCount`).
    private static let uncountedByteLimit = 1024
    /// A body's buffer grows to this at once, then by doubling, up to the body's declared length.
    private static let firstBodyByteCount = 16_384
    /// After a refusal the client may still be sending: so much is read and dropped, for so long, so that closing does not
    /// reset the connection before the client has read the answer (RFC 9112 §9.6). Many clients read only once they have
    /// sent a whole body, so it is several times the largest body that would have been taken.
    private static let lingerByteLimit = 16 * 1_048_576
    private static let lingerMilliseconds = 1000
    /// How much longer than it has a handler's response is waited for: what the handler waits for has limits of its own, and
    /// says more when one is over.
    private static let responseGraceMilliseconds = 500
    private static let responseGrace = UInt64(responseGraceMilliseconds) * 1_000_000
    /// A client that connected right before the end gets this long to send its first request.
    private static let lastRequestMilliseconds = 1000
    /// Between two looks whether the client has taken everything, at the end of the process.
    private static let deliveryPollMilliseconds = 20

    /// What it waits for.
    private enum Phase: Equatable {
        /// Bytes of a request. Becomes any other.
        case reading
        /// Nothing: what a handler's answer waits for is being begun. Becomes `.reading` or `.responding`.
        case calling
        /// A handler's response; nothing is read meanwhile. Becomes `.reading`, `.sending`, `.lingering` or `.closed`.
        case responding
        /// Room in the socket for the rest of the output. Becomes what stands behind, or `.closed`.
        case sending(then: Next)
        /// The turn of the loop's other clients. Becomes `.reading` or `.closed`.
        case yielding
        /// The end of what the client sends, which nobody reads. Becomes `.delivering` or `.closed`.
        case lingering
        /// The client to acknowledge what the kernel holds for it, while the process ends. Becomes `.closed`.
        case delivering
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
    private var phase = Phase.reading
    private var reader: RequestReader
    private(set) var request = Request()
    /// What the request leads to, while its body is awaited, or the answer that was there when it had been begun.
    private var plan: App.Plan?
    /// Whether a head was read that has no answer yet.
    private var isInFlight = false
    /// Received and not yet used: part of a request, or what came behind one whose answer is awaited.
    private var input: [UInt8] = []
    /// Answers, in the worker's spare buffer where that is free; the first `sent` bytes of them have left.
    private var output: [UInt8] = []
    private var sent = 0
    /// Of what was received and is kept, the bytes that are taken from the process's memory.
    private var heldInput = 0
    /// The same of answers.
    private var heldOutput = 0
    /// There was no memory for what came behind a request whose answer is awaited: it was dropped, and the connection
    /// closes after that answer.
    private var hasDroppedInput = false
    /// Answers since the other clients of the loop had their turn.
    private var gathered = 0
    /// When what is being read, or a handler's response, must be there.
    private var readDeadline: UInt64 = 0
    private var isHeadTimed = false
    private var hasServed = false
    /// A handler had no response in time, and the client was told so; what the handler says later is nobody's.
    private var isOverdue = false
    /// What was read and dropped at the end.
    private var dropped = 0

    init(_ socket: consuming FileDescriptor, peer: SocketAddress, worker: Worker) throws(SystemError) {
        self.worker = worker
        request.peer = peer
        request.isPeerTrusted = worker.trusts(peer)
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
        case .lingering, .delivering: drop()
        // Its readiness remembers it.
        case .calling, .responding, .sending, .yielding, .closed: break
        }
    }

    func becameWritable() {
        guard case .sending(let next) = phase else { return }
        send(then: next)
        resume()
        closeIfIdle()
    }

    func expired() {
        switch phase {
        case .reading:
            // What came in time, to a process that was not running or has not heard of it, is met by an answer.
            let missed = readDeadline
            receiveLast()
            guard readDeadline == missed else { return }
            if phase == .reading { timeOut() } else if phase == .yielding { meetExpiryAgain() }
        case .sending: end()
        case .lingering: close()
        case .delivering: lookWhetherDelivered()
        case .yielding: meetExpiryAgain()
        case .responding: if worker.loop.now >= readDeadline { giveUpResponse() }
        case .calling, .closed: break
        }
    }

    /// When it reads on.
    private func meetExpiryAgain() {
        readiness.arm(expiry: worker.loop.now)
    }

    /// The drain has come to another phase.
    func interrupt() {
        let isCut = worker.drain.phase >= .cutting
        switch phase {
        case .reading:
            if isCut { return end() }
            guard worker.drain.phase == .closing && reader.state == .idle else { return }
            if hasServed { closeIfIdle() } else { expectBytes(within: Self.lastRequestMilliseconds) }
        case .sending, .lingering, .delivering: if isCut { end() }
        case .responding:
            guard isCut else { return }
            // The handler keeps this object, and with it the socket, until it has its response.
            socket.shutdownWrite()
            end()
        case .calling, .yielding, .closed: break
        }
    }

    /// The moment until which it is kept without a request; nil while it has one, a part of one, or an answer to send.
    var idleExpiry: UInt64? { phase == .reading && reader.state == .idle ? readDeadline : nil }

    /// Closes it in favour of another client, unless a request has come meanwhile.
    ///
    /// - Returns: whether it is closed.
    func giveUp() -> Bool {
        let expiry = idleExpiry
        receiveLast()
        // A request that was answered meanwhile has moved it.
        if let expiry, idleExpiry == expiry { end() }
        return phase == .closed
    }

    /// While the server closes, nobody waits for a client's next request, whatever it was that made the connection idle.
    private func closeIfIdle() {
        guard worker.drain.phase >= .closing, idleExpiry != nil else { return }
        // The last moment for a request that is on its way.
        receiveLast()
        if idleExpiry != nil { close() }
    }

    var loop: EventLoop? { worker.loop }

    func receive(_ make: () throws -> Answer) {
        // Nobody's any more when it comes too late, or the drain has cut the connection.
        if phase == .closed || isOverdue { return }
        perform(App.run(make, request, of: worker.app).kind)
    }

    /// Does what an answer to `request` asks for: sends it, or waits for it.
    func perform(_ answer: consuming Answer.Kind) {
        switch consume answer {
        case .response(let response):
            guard phase == .calling else { return respond(response) }
            precondition(plan == nil, "a second response to one request")
            plan = .answer(response)
        case let later: begin(later)
        }
    }

    /// Begins what brings an answer to `request`, unless nobody wants it any more.
    private func begin(_ answer: Answer.Kind) {
        if phase == .closed || isOverdue { return }
        switch answer {
        case .response: fatalError("a response that is there has nothing to wait for")
        case .work(let begin): begin(Caller(self, deadline: readDeadline - Self.responseGrace))
        case .task(let make): worker.run(make, for: self, until: readDeadline - Self.responseGrace)
        }
    }

    private func respond(_ response: Response) {
        if phase == .closed || isOverdue { return }
        precondition(phase == .responding, "a response while \(phase)")
        phase = .reading
        complete(response, hasMore: !input.isEmpty)
        resume()
    }

    /// Goes on reading after a wait for something else.
    private func resume() {
        if phase == .reading {
            // Most often nothing was kept, and there is nothing to parse.
            if input.isEmpty && reader.state == .idle { sendAnswers() } else { takeInput() }
        }
        if phase == .reading { receive() }
    }

    /// Reads what the socket has, whether the loop has told of it or not.
    private func receiveLast() {
        readiness.assumeReadable()
        receive()
    }

    /// Reads what the socket has, and answers what is complete.
    private func receive() {
        while phase == .reading && readiness.mayRead {
            // The scratch is this loop's: what is left of its bytes is copied before anything else can use it.
            guard let attempt = try? unsafe socket.receive(into: worker.scratch) else { return end() }
            switch attempt {
            case .done(0): return end()
            case .done(let count):
                let received = unsafe Span<UInt8>(
                    _unsafeBytes: UnsafeRawBufferPointer(rebasing: worker.scratch[..<count]))
                if count == Worker.readByteLimit {
                    // There is more to read, and the others' turn comes before it.
                    input.append(span: received)
                    yield()
                    holdInput()
                } else {
                    readiness.readDrained()
                    if input.isEmpty {
                        let used = advance(received)
                        keep(received.extracting(used...))
                    } else {
                        input.append(span: received)
                        takeInput()
                    }
                }
            case .wouldBlock: readiness.readDrained()
            }
        }
    }

    /// Answers what was kept, and keeps the rest of it.
    private func takeInput() {
        let kept = input
        input = []
        let used = advance(kept.span)
        // A head that comes byte by byte is not copied each time.
        if used == 0 && phase == .reading { input = kept } else { keep(kept.span.extracting(used...)) }
        if heldInput > 0 { holdInput() }
    }

    /// Keeps what was received and not used, unless nobody will read it.
    private func keep(_ rest: Span<UInt8>) {
        if rest.isEmpty || hasDroppedInput || dropsInput || phase == .closed { return }
        input.append(span: rest)
        holdInput()
    }

    /// Counts what is kept of what the client sent. When the process has no memory for it, the request is refused; what
    /// came behind one whose answer is awaited is dropped.
    private func holdInput() {
        if countInput() { return }
        switch phase {
        case .reading, .yielding:
            phase = .reading
            refuseForMemory()
        case .calling, .responding, .sending:
            input = []
            hasDroppedInput = true
            _ = countInput()
        case .lingering, .delivering, .closed: dropInput()
        }
    }

    /// - Returns: whether there is memory for what is kept.
    private func countInput() -> Bool {
        let kept = input.capacity + request.body.capacity + request.head.bytes.capacity
        let bytes = kept > Self.uncountedByteLimit ? kept : 0
        if bytes > heldInput {
            guard worker.options.memory.reserve(bytes - heldInput, for: .body) else { return false }
        } else if bytes < heldInput {
            worker.options.memory.release(heldInput - bytes)
        }
        heldInput = bytes
        return true
    }

    private func dropInput() {
        input = []
        request.body = []
        worker.options.memory.release(heldInput)
        heldInput = 0
    }

    private func refuseForMemory() {
        refuse(.outOfMemory, .outOfMemory, isHeadComplete: false)
        dropInput()
    }

    /// Answers what was received, as far as nothing has to be waited for, and sends the answers.
    ///
    /// - Returns: how many bytes from the start of `bytes` are done with.
    private func advance(_ bytes: Span<UInt8>) -> Int {
        var used = 0
        while phase == .reading {
            // Nothing is left to read: to have the parser find that out takes 220 instructions of each request.
            if used == bytes.count && reader.state == .idle {
                sendAnswers()
                return used
            }
            let step: RequestReader.Step
            if case .body(let remaining) = reader.state {
                growBody(for: min(remaining, bytes.count - used), of: remaining)
            }
            do {
                step = try reader.read(bytes.extracting(used...), head: &request.head, body: &request.body)
            } catch {
                refuse(.malformed(error), HTTPError(error), isHeadComplete: error.isHeadComplete)
                break
            }
            switch step {
            case .incomplete(let count):
                used += count
                if reader.state == .head && !isHeadTimed {
                    isHeadTimed = true
                    expectBytes(within: worker.options.headerTimeout)
                }
                if isInFlight && !countInput() {
                    refuseForMemory()
                } else {
                    sendAnswers()
                }
                return used
            case .head(let count):
                used += count
                let plan = begin()
                if request.head.bytes.count > Self.uncountedByteLimit && !countInput() {
                    refuseForMemory()
                    break
                }
                if reader.expectsBody {
                    prepareForBody(plan, hasMore: used < bytes.count)
                } else {
                    answer(plan, hasMore: used < bytes.count)
                }
            case .complete(let count):
                used += count
                guard let plan else { fatalError("a request without a plan was complete") }
                self.plan = nil
                if request.body.count > Self.uncountedByteLimit && !countInput() {
                    refuseForMemory()
                    break
                }
                answer(plan, hasMore: used < bytes.count)
            }
        }
        return used
    }

    /// Makes room in the body's buffer, no more than the body will take.
    private func growBody(for count: Int, of remaining: Int) {
        let needed = request.body.count + count
        guard needed > request.body.capacity else { return }
        let most = request.body.count + remaining
        request.body.reserveCapacity(min(most, max(needed, 2 * request.body.capacity, Self.firstBodyByteCount)))
    }

    /// The head is complete: names the request, and finds out what it leads to.
    private func begin() -> App.Plan {
        isHeadTimed = false
        isInFlight = true
        let request = request
        request.start = worker.loop.now
        worker.requestID.choose(for: request)
        worker.observe(.started)
        return worker.app.plan(for: request)
    }

    /// Before the body is read: refuses what the head alone decides, and tells a client that asked to go on.
    ///
    /// - Parameter hasMore: whether some of the body is there.
    private func prepareForBody(_ plan: App.Plan, hasMore: Bool) {
        if case .answer(var response) = plan {
            response.closes = true
            finish(response)
            return send(then: .linger)
        }
        if case .body(let length) = reader.state, length > Self.uncountedByteLimit,
            !worker.options.memory.allows(length, for: .body)
        {
            return refuseForMemory()
        }
        self.plan = plan
        expectBytes(within: worker.options.bodyTimeout)
        // A client that has sent some of the body already is not waiting (RFC 9110 §10.1.1).
        if request.head.expectsContinue && !hasMore {
            worker.lendOutput(&output)
            ResponseEncoder.encodeContinue(into: &output)
            send(then: .read)
        }
    }

    /// Answers the complete request, or has it answered.
    ///
    /// - Parameter hasMore: whether the client has sent more already.
    private func answer(_ plan: App.Plan, hasMore: Bool) {
        switch plan {
        case .answer(let response): complete(response, hasMore: hasMore)
        case .target(let target):
            let answer = App.run({ try target.handler(request) }, request, of: worker.app)
            if case .response(let response) = answer.kind {
                complete(response, hasMore: hasMore)
            } else {
                wait(for: answer.kind, hasMore: hasMore)
            }
        }
    }

    /// Begins what an answer waits for.
    private func wait(for answer: Answer.Kind, hasMore: Bool) {
        phase = .calling
        expectResponse()
        begin(answer)
        phase = .responding
        guard case .answer(let response)? = self.plan.take() else {
            if heldInput > 0 { letGoOfBody() }
            return
        }
        phase = .reading
        complete(response, hasMore: hasMore)
    }

    /// A handler that has returned has read the body, unless it kept the request.
    private func letGoOfBody() {
        guard isKnownUniquelyReferenced(&request) else { return }
        request.body = []
        // It can only have become less.
        _ = countInput()
    }

    /// Takes the response to the complete request, and makes ready for the next one.
    private func complete(_ response: Response, hasMore: Bool) {
        let goesOn = finish(response)
        hasServed = true
        guard goesOn else { return send(then: .linger) }
        if isKnownUniquelyReferenced(&request) {
            if !request.body.isEmpty { Self.empty(&request.body) }
            if request.head.bytes.count > Limits.retainedHeadByteLimit { request.head.reset() }
        } else {
            request = request.next()
        }
        if heldInput > 0 { _ = countInput() }
        expectBytes(within: worker.options.keepAliveTimeout)
        gathered += 1
        if output.count >= Self.outputByteLimit || gathered >= Limits.pipelineDepthLimit {
            gathered = 0
            send(then: hasMore ? .yield : .read)
        }
    }

    /// Appends the answer to the output and reports it.
    ///
    /// - Returns: whether the connection may go on.
    @discardableResult
    private func finish(_ response: Response) -> Bool {
        if response.body.count > Self.uncountedByteLimit && !holdAnswer(response.body.count) {
            return refuseAnswer()
        }
        return write(response)
    }

    @inline(never)
    private func refuseAnswer() -> Bool {
        var refusal = HTTPError.outOfMemory.response(to: request)
        refusal.failure = ServerEvent.Refusal.outOfMemory
        return write(refusal)
    }

    @inline(__always)
    private func write(_ response: Response) -> Bool {
        isInFlight = false
        let goesOn = request.head.keepAlive && !response.closes && !worker.drain.isDraining && !hasDroppedInput
        encode(response, persists: goesOn)
        let elapsed = EventLoop.monotonicNanoseconds() &- request.start
        worker.observe(
            .completed(
                request, status: response.code,
                bytes: request.head.knownMethod == .head ? 0 : response.body.count,
                nanoseconds: elapsed,
                failure: response.failure))
        return goesOn
    }

    /// Takes memory for an answer until it has left.
    ///
    /// - Returns: false when there is none, and the request may be asked again: nothing was changed by it.
    private func holdAnswer(_ bytes: Int) -> Bool {
        switch request.head.knownMethod {
        case .head: return true
        case .get:
            guard worker.options.memory.reserve(bytes, for: .answer) else { return false }
        default: worker.options.memory.take(bytes)
        }
        heldOutput += bytes
        return true
    }

    /// Counts answers that the client does not take.
    ///
    /// - Returns: whether there is memory for them to wait in.
    private func holdOutput() -> Bool {
        let bytes = output.capacity
        // It holds every answer that is counted, each behind its head.
        guard worker.options.memory.reserve(bytes - heldOutput, for: .answer) else { return false }
        heldOutput = bytes
        return true
    }

    private func releaseOutput() {
        worker.options.memory.release(heldOutput)
        heldOutput = 0
    }

    private func encode(_ response: Response, persists: Bool) {
        let status = response.code
        // RFC 9110 §8.6: these have no content, and say no length.
        let hasContent = status != 204 && status != 304 && status >= 200
        let isBodySent = hasContent && request.head.knownMethod != .head
        let commonFields = worker.commonFields.bytes(at: worker.loop.now)
        worker.lendOutput(&output)
        let identifier = request.requestIDBytes
        ResponseEncoder.encode(
            status: status, reason: nil, contentType: response.contentType, fields: response.fields,
            commonFields: commonFields.span,
            requestID: identifier.span, contentLength: hasContent ? response.body.count : nil,
            persistence: persists ? (request.head.isHTTP11 ? .keepAlive : .keepAliveHTTP10) : .close,
            body: response.body.span.extracting(first: isBodySent ? response.body.count : 0), into: &output)
    }

    /// Answers what cannot be a request, after what was asked before it, and closes.
    ///
    /// - Parameter isHeadComplete: whether `request` says what it was.
    private func refuse(_ refusal: ServerEvent.Refusal, _ error: HTTPError, isHeadComplete: Bool) {
        worker.observe(.refused(refusal))
        if !isInFlight {
            if isHeadComplete { _ = begin() } else { beginNothing() }
        }
        var response = error.response(to: request)
        response.closes = true
        response.failure = refusal
        finish(response)
        send(then: .linger)
    }

    /// There is no head to go by: an empty request takes the place of the one that cannot be read.
    private func beginNothing() {
        isInFlight = true
        request = request.next()
        request.start = worker.loop.now
        worker.requestID.make(into: &request.requestIDBytes)
        worker.observe(.started)
    }

    private func expectResponse() {
        expectBytes(within: worker.options.requestTimeout + Self.responseGraceMilliseconds)
    }

    /// The time for the handler's response is over. Closes: a late one must not meet another request.
    private func giveUpResponse() {
        isOverdue = true
        phase = .reading
        var response = HTTPError(.gatewayTimeout, "The request took too long.").response(to: request)
        response.closes = true
        response.failure = HandlerOverdue()
        finish(response)
        send(then: .linger)
    }

    /// The time for what is being read is over.
    private func timeOut() {
        switch reader.state {
        case .idle: close()
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

    /// Sends what there is before anything is waited for.
    private func sendAnswers() {
        if !output.isEmpty { send(then: .read) }
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
                guard holdOutput() else { return end() }
                phase = .sending(then: next)
                readiness.arm(expiry: worker.moment(in: worker.options.writeTimeout))
                return
            case nil: return end()
            }
        }
        worker.returnOutput(&output)
        if heldOutput > 0 { releaseOutput() }
        sent = 0
        if case .sending = phase {
            phase = .reading
            readiness.arm(expiry: readDeadline)
        }
        switch next {
        case .read, .yield: if hasDroppedInput { linger() } else if next == .yield { yield() }
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
            closeIfIdle()
        }
    }

    /// Everything is said: waits until the client has read it.
    private func linger() {
        phase = .lingering
        socket.shutdownWrite()
        expectBytes(within: Self.lingerMilliseconds)
        drop()
    }

    /// Whether what the client still sends is read and dropped.
    private var dropsInput: Bool { phase == .lingering || phase == .delivering }

    private func drop() {
        while readiness.mayRead {
            // As in `receive`; the bytes are dropped.
            guard let attempt = try? unsafe socket.receive(into: worker.scratch) else { return end() }
            switch attempt {
            case .done(0):
                if phase == .lingering { close() }
                return
            case .done(let count):
                dropped += count
                if dropped >= Self.lingerByteLimit { return end() }
                if count < Worker.readByteLimit {
                    readiness.readDrained()
                } else {
                    worker.loop.atNextTurn { [self] in if dropsInput { drop() } }
                    return
                }
            case .wouldBlock: readiness.readDrained()
            }
        }
    }

    /// Nothing is expected of the client any more. A process that ends may take its network with it, as a container does, and
    /// with that what the kernel holds: then the client first has to acknowledge it, within the time for sending.
    private func close() {
        guard worker.drain.isDraining, socket.unacknowledgedByteCount > 0 else { return end() }
        phase = .delivering
        socket.shutdownWrite()
        readDeadline = worker.moment(in: worker.options.writeTimeout)
        readiness.arm(expiry: worker.moment(in: Self.deliveryPollMilliseconds))
    }

    private func lookWhetherDelivered() {
        if socket.unacknowledgedByteCount == 0 || worker.loop.now >= readDeadline { return end() }
        readiness.arm(expiry: worker.moment(in: Self.deliveryPollMilliseconds))
    }

    private func end() {
        phase = .closed
        if isInFlight { worker.observe(.abandoned) }
        readiness.cancel()
        // A handler that is still to answer keeps this object, and the request with its body.
        input = []
        output = []
        worker.options.memory.release(heldInput + heldOutput)
        (heldInput, heldOutput) = (0, 0)
        worker.closed(self)
    }
}

/// Behind a 504 of the server's own.
private struct HandlerOverdue: Error, CustomStringConvertible {
    var description: String { "the handler had no response in time" }
}
