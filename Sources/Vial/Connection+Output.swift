import Formatting
import HTTP1
import Platform
import Reactor

// Encodes responses into the output buffer and writes that to the socket.
extension Connection {
    /// Appends the response to the request in flight and reports it as completed.
    func append(_ response: Response, persists: Bool) {
        guard response.body.count <= Self.uncountedByteLimit || output.count(response.body.count, of: request, worker)
        else { return appendRefusal(persists: persists) }
        write(response, persists: persists)
    }

    @inline(never)
    private func appendRefusal(persists: Bool) {
        var refusal = HTTPError.outOfMemory.response(to: request, under: worker.app.basePath)
        refusal.failure = ServerEvent.Refusal.outOfMemory
        write(refusal, persists: persists)
    }

    @inline(__always)
    private func write(_ response: Response, persists: Bool) {
        if worker.app.crossOrigin.isEmpty {
            encode(response, persists: persists)
        } else {
            encodeShared(response, persists: persists)
        }
        let elapsed = Instant.now.nanoseconds(since: request.start)
        worker.observe(
            .completed(
                request, status: response.code,
                bytes: request.head.knownMethod == .head || response.code == 304 ? 0 : response.body.count,
                nanoseconds: elapsed,
                failure: response.failure))
    }

    // Not inlined: few services are used by pages of other origins.
    @inline(never)
    private func encodeShared(_ response: Response, persists: Bool) {
        var response = response
        worker.app.crossOrigin.finish(&response, for: request)
        encode(response, persists: persists)
    }

    @inline(__always)
    private func encode(_ response: Response, persists: Bool) {
        let status = response.code
        // RFC 9110 §8.6: these have no content and no Content-Length.
        let hasContent = status != 204 && status != 304 && status >= 200
        let isBodySent = hasContent && request.head.knownMethod != .head
        let commonFields = worker.commonFields.bytes(at: worker.loop.now)
        worker.lendOutput(&output.bytes)
        let identifier = request.requestIDBytes
        ResponseEncoder.encode(
            status: status, reason: nil, contentType: response.contentType, fields: response.fields,
            commonFields: commonFields.span,
            requestID: identifier.span, entityTag: response.body.span.extracting(response.entityTagRange),
            contentLength: hasContent ? response.body.count : nil,
            persistence: persists ? (request.head.isHTTP11 ? .keepAlive : .keepAliveHTTP10) : .close,
            body: response.body.span.extracting(first: isBodySent ? response.body.count : 0), into: &output.bytes)
    }

    /// Writes output until everything is sent or the socket's buffer is full.
    func send() {
        switch output.send(to: socket) {
        case .sent:
            worker.returnOutput(&output.bytes)
            output.release(worker.options.memory)
            perform(report(.sent))
        case .blocked:
            readiness.writeBlocked()
            perform(report(output.countAll(worker.options.memory) ? .sendBlocked : .outOfMemory(.output)))
        case .failed: perform(report(.failed))
        }
    }
}

/// Responses that are being sent to one client.
struct OutputBuffer {
    enum Progress { case sent, blocked, failed }

    /// The loop's spare buffer if that was free.
    var bytes: [UInt8] = []
    /// Bytes of `bytes` that the socket has accepted.
    private var sentByteCount = 0
    /// Bytes reserved in the process's memory budget.
    private var countedByteCount = 0

    /// Reserves memory for a response body until it has been sent.
    ///
    /// - Returns: false when the budget has no room and the request can be refused, because it changed nothing (GET).
    mutating func count(_ byteCount: Int, of request: Request, _ worker: Worker) -> Bool {
        switch request.head.knownMethod {
        case .head: return true
        case .get:
            guard worker.options.memory.reserve(byteCount, for: .answer) else { return false }
        default: worker.options.memory.take(byteCount)
        }
        countedByteCount += byteCount
        return true
    }

    /// Reserves memory for the whole buffer when the client does not read its responses. May be called repeatedly while
    /// they wait.
    ///
    /// - Returns: false when the budget has no room.
    mutating func countAll(_ memory: MemoryBudget) -> Bool {
        let missing = bytes.capacity - countedByteCount
        if missing > 0 {
            guard memory.reserve(missing, for: .answer) else { return false }
        } else {
            memory.release(-missing)
        }
        countedByteCount = bytes.capacity
        return true
    }

    /// Releases the reservation; everything has been sent.
    @inline(__always)
    mutating func release(_ memory: MemoryBudget) {
        sentByteCount = 0
        guard countedByteCount > 0 else { return }
        memory.release(countedByteCount)
        countedByteCount = 0
    }

    /// Drops unsent output.
    mutating func discard(_ memory: MemoryBudget) {
        bytes = []
        release(memory)
    }

    /// Sends until everything is sent or the socket would block.
    @inline(__always)
    mutating func send(to socket: borrowing FileDescriptor) -> Progress {
        while sentByteCount < bytes.count {
            guard let attempt = try? socket.send(bytes.span.extracting(sentByteCount...)) else { return .failed }
            guard case .done(let count) = attempt else { return .blocked }
            sentByteCount += count
        }
        return .sent
    }
}
