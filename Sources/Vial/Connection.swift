import Formatting
import HTTP1
import HTTPTypes
import Reactor

/// One client's connection, from accept to close: reads requests, has them answered in order, writes the answers.
///
/// Its life is the one function `serve`, read top to bottom; what the bytes mean is `RequestReader`'s to say.
actor Connection {
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

    private let worker: Worker
    nonisolated var unownedExecutor: UnownedSerialExecutor { unsafe worker.loop.asUnownedSerialExecutor() }
    private let socket: FileDescriptor
    private let readiness: Readiness
    private let peer: SocketAddress
    private let isPeerTrusted: Bool
    private let deadline = TaskDeadline()
    private var reader: RequestReader
    private var request = Request()
    private var plan: App.Plan?
    /// Received bytes; the first `used` of them are done with.
    private var input: [UInt8] = []
    private var used = 0
    private var output: [UInt8] = []
    /// Answers since the other clients of the loop had their turn.
    private var gathered = 0
    /// When what is being read must be there.
    private var readDeadline: UInt64 = 0
    private var isHeadTimed = false
    private var hasServed = false

    init(_ socket: consuming FileDescriptor, peer: SocketAddress, worker: Worker) throws(SystemError) {
        self.worker = worker
        self.peer = peer
        isPeerTrusted = worker.trusts(peer)
        reader = RequestReader(limits: worker.options.limits)
        readiness = try Readiness(socket.number, on: worker.loop)
        self.socket = socket
    }

    /// Serves the client until either side has had enough.
    func run() async {
        let isLast = worker.drain.phase >= .closing
        expectBytes(within: isLast ? Self.lastRequestMilliseconds : worker.options.keepAliveTimeout)
        // Bound once: what waits on behalf of a request reads it, and only its moment changes.
        await TaskDeadline.$current.withValue(deadline) { await serve() }
        if plan != nil { worker.observe(.abandoned) }
        readiness.cancel()
        worker.closed(self)
    }

    /// Something about the whole server has changed.
    func interrupt() {
        readiness.interrupt()
    }

    private func serve() async {
        while true {
            let step: RequestReader.Step
            do {
                step = try reader.read(input.span.extracting(used...), head: &request.head, body: &request.body)
            } catch {
                await refuse(.malformed(error), HTTPError(error), isHeadComplete: error.isHeadComplete)
                return
            }
            switch step {
            case .incomplete(let count):
                consume(count)
                if reader.state == .head && !isHeadTimed {
                    isHeadTimed = true
                    expectBytes(within: worker.options.headerTimeout)
                }
                guard await receive() else { return }
            case .head(let count):
                consume(count)
                begin()
                if reader.expectsBody {
                    guard await prepareForBody() else { return }
                } else if await !respond() {
                    return
                }
            case .complete(let count):
                consume(count)
                guard await respond() else { return }
            }
        }
    }

    /// The head is complete: names the request, and finds out what it leads to.
    private func begin() {
        isHeadTimed = false
        let start = worker.loop.now
        request.start = start
        request.peer = peer
        request.isPeerTrusted = isPeerTrusted
        request.method = HTTPRequest.Method(of: request.head)
        worker.requestID.choose(for: request.head, isPeerTrusted: isPeerTrusted, into: &request.requestIDBytes)
        worker.observe(.started)
        plan = worker.app.plan(for: request)
    }

    /// Before the body is read: refuses what the head alone decides, and tells a client that asked to go on.
    ///
    /// - Returns: whether the connection goes on.
    private func prepareForBody() async -> Bool {
        if case .answer(var response) = plan {
            response.closes = true
            finish(response)
            await close()
            return false
        }
        expectBytes(within: worker.options.bodyTimeout)
        // A client that has sent some of the body already is not waiting (RFC 9110 §10.1.1).
        if request.head.expectsContinue && used == input.count {
            ResponseEncoder.encodeContinue(into: &output)
            return await flush()
        }
        return true
    }

    /// Answers the complete request.
    ///
    /// - Returns: whether the connection goes on.
    private func respond() async -> Bool {
        let response: Response
        deadline.expiry = worker.moment(in: worker.options.requestTimeout)
        switch plan {
        case .answer(let answer): response = answer
        case .handler(let handler): response = await worker.app.run(handler, request)
        case nil: fatalError("a request without a plan was complete")
        }
        let goesOn = finish(response)
        hasServed = true
        deadline.expiry = nil
        guard goesOn else {
            await close()
            return false
        }
        if isKnownUniquelyReferenced(&request) {
            Self.empty(&request.body)
        } else {
            request = Request()
        }
        expectBytes(within: worker.options.keepAliveTimeout)
        gathered += 1
        if output.count < Self.outputByteLimit && gathered < Limits.pipelineDepthLimit { return true }
        return await yieldTurn()
    }

    /// Sends what is gathered. A client that asked for more already lets the others go first: reading as fast as it asks,
    /// it would have the loop to itself otherwise.
    ///
    /// - Returns: whether the connection goes on.
    private func yieldTurn() async -> Bool {
        gathered = 0
        guard await flush() else { return false }
        if used < input.count { await worker.loop.nextTurn() }
        return true
    }

    /// Appends the answer to the output and reports it.
    ///
    /// - Returns: whether the connection may go on.
    @discardableResult
    private func finish(_ response: Response) -> Bool {
        plan = nil
        let goesOn = request.head.keepAlive && !response.closes && !worker.drain.isDraining
        encode(response, for: request, persists: goesOn)
        let elapsed = EventLoop.monotonicNanoseconds() &- request.start
        worker.observe(
            .completed(
                request, status: response.status.code, bytes: request.method == .head ? 0 : response.body.count,
                nanoseconds: elapsed,
                failure: response.failure))
        return goesOn
    }

    private func encode(_ response: Response, for request: Request, persists: Bool) {
        let status = response.status.code
        // RFC 9110 §8.6: these have no content, and say no length.
        let hasContent = status != 204 && status != 304 && status >= 200
        let identifier = request.requestIDBytes
        ResponseEncoder.encodeHead(
            status: status, reason: nil, contentType: response.contentType, fields: response.fields,
            date: worker.date.bytes(at: worker.loop.now), requestID: identifier.span,
            contentLength: hasContent ? response.body.count : nil,
            persistence: persists ? (request.head.isHTTP11 ? .keepAlive : .keepAliveHTTP10) : .close, into: &output)
        if hasContent && request.method != .head { output.append(contentsOf: response.body) }
    }

    /// Answers what cannot be a request, after what was asked before it, and closes.
    ///
    /// - Parameter isHeadComplete: whether `request` says what it was.
    private func refuse(_ refusal: ServerEvent.Refusal, _ error: HTTPError, isHeadComplete: Bool) async {
        worker.observe(.refused(refusal))
        if plan == nil {
            if isHeadComplete { begin() } else { beginNothing() }
        }
        var response = error.response(to: request)
        response.closes = true
        response.failure = refusal
        finish(response)
        await close()
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

    /// Waits for bytes, after sending what is due.
    ///
    /// - Returns: whether some came; false when the connection is to close.
    private func receive() async -> Bool {
        if !output.isEmpty {
            guard await flush() else { return false }
        }
        while true {
            var isLastTry = false
            switch await readiness.untilReadable() {
            case .ready: break
            case .expired where reader.state == .idle:
                // A request that came in time, to a process that was not running, must not be met by a reset.
                isLastTry = true
                expectBytes(within: worker.options.keepAliveTimeout)
            case .expired:
                await expire()
                return false
            case .interrupted:
                switch worker.drain.phase {
                case .cutting, .ended: return false
                case .closing where reader.state == .idle:
                    // The last moment for a request that is on its way.
                    isLastTry = hasServed
                    if !hasServed { expectBytes(within: Self.lastRequestMilliseconds) }
                case .serving, .announcing, .closing: break
                }
            }
            // The scratch is this loop's, and nothing suspends before its bytes are copied.
            guard let attempt = try? unsafe socket.read(into: worker.scratch) else { return false }
            switch attempt {
            case .done(0): return false
            case .done(let count):
                if count < Worker.readByteLimit { readiness.readDrained() }
                // Also with a part of a request left: a client that always sends one would make the buffer grow for ever.
                input.removeFirst(used)
                used = 0
                unsafe input.append(contentsOf: UnsafeRawBufferPointer(rebasing: worker.scratch[..<count]))
                // There is more to read, and the others' turn comes before it.
                if count == Worker.readByteLimit { await worker.loop.nextTurn() }
                return true
            case .wouldBlock:
                readiness.readDrained()
                if isLastTry { return false }
            }
        }
    }

    /// The time for what is being read is over.
    private func expire() async {
        switch reader.state {
        case .idle: fatalError("an idle connection closes without a word")
        case .head:
            let error = HTTPError(.requestTimeout, "The request's head took too long.")
            await refuse(.headTimedOut, error, isHeadComplete: false)
        case .body, .chunks:
            let error = HTTPError(.requestTimeout, "The request's body took too long.")
            await refuse(.bodyTimedOut, error, isHeadComplete: true)
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

    /// Sends the whole output.
    ///
    /// - Returns: whether it left; false when the client is gone or does not read.
    private func flush() async -> Bool {
        var sent = 0
        var limit: UInt64?
        while sent < output.count {
            // The bytes are copied by the kernel before the call returns.
            let attempt = unsafe output.withUnsafeBytes { bytes in
                try? unsafe socket.send(UnsafeRawBufferPointer(rebasing: bytes[sent...]))
            }
            switch attempt {
            case .done(let count)?: sent += count
            case .wouldBlock?:
                readiness.writeBlocked()
                let moment = limit ?? worker.moment(in: worker.options.writeTimeout)
                limit = moment
                readiness.arm(expiry: moment)
                switch await readiness.untilWritable() {
                case .ready: break
                case .interrupted where worker.drain.phase < .cutting: break
                case .expired, .interrupted: return false
                }
            case nil: return false
            }
        }
        Self.empty(&output)
        // A write that was waited for had a deadline of its own.
        if limit != nil { readiness.arm(expiry: readDeadline) }
        return true
    }

    /// Sends what is due and closes so that the client can still read it.
    private func close() async {
        guard await flush() else { return }
        socket.shutdownWrite()
        expectBytes(within: Self.lingerMilliseconds)
        var dropped = 0
        while dropped < Self.lingerByteLimit {
            switch await readiness.untilReadable() {
            case .ready: break
            case .expired: return
            case .interrupted:
                if worker.drain.phase >= .cutting { return }
            }
            // As in `receive`; the bytes are dropped.
            guard let attempt = try? unsafe socket.read(into: worker.scratch) else { return }
            switch attempt {
            case .done(0): return
            case .done(let count):
                dropped += count
                if count < Worker.readByteLimit {
                    readiness.readDrained()
                } else {
                    await worker.loop.nextTurn()
                }
            case .wouldBlock: readiness.readDrained()
            }
        }
    }
}
