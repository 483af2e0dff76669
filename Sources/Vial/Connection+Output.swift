import Formatting
import HTTP1
import Reactor

// Writes answers into the output and the output into the socket.
extension Connection {
    /// Appends the answer to the request in flight, and reports it.
    func append(_ response: Response, persists: Bool) {
        guard response.body.count <= Self.uncountedByteLimit || output.count(response.body.count, of: request, worker)
        else { return appendRefusal(persists: persists) }
        write(response, persists: persists)
    }

    @inline(never)
    private func appendRefusal(persists: Bool) {
        var refusal = HTTPError.outOfMemory.response(to: request)
        refusal.failure = ServerEvent.Refusal.outOfMemory
        write(refusal, persists: persists)
    }

    @inline(__always)
    private func write(_ response: Response, persists: Bool) {
        encode(response, persists: persists)
        let elapsed = EventLoop.monotonicNanoseconds() &- request.start
        worker.observe(
            .completed(
                request, status: response.code,
                bytes: request.head.knownMethod == .head ? 0 : response.body.count,
                nanoseconds: elapsed,
                failure: response.failure))
    }

    private func encode(_ response: Response, persists: Bool) {
        let status = response.code
        // RFC 9110 §8.6: these have no content, and say no length.
        let hasContent = status != 204 && status != 304 && status >= 200
        let isBodySent = hasContent && request.head.knownMethod != .head
        let commonFields = worker.commonFields.bytes(at: worker.loop.now)
        worker.lendOutput(&output.bytes)
        let identifier = request.requestIDBytes
        ResponseEncoder.encode(
            status: status, reason: nil, contentType: response.contentType, fields: response.fields,
            commonFields: commonFields.span,
            requestID: identifier.span, contentLength: hasContent ? response.body.count : nil,
            persistence: persists ? (request.head.isHTTP11 ? .keepAlive : .keepAliveHTTP10) : .close,
            body: response.body.span.extracting(first: isBodySent ? response.body.count : 0), into: &output.bytes)
    }

    /// Sends the output as far as the socket takes it.
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

/// Answers on their way to one client.
struct OutputBuffer {
    enum Progress { case sent, blocked, failed }

    /// In the worker's spare buffer where that is free.
    var bytes: [UInt8] = []
    /// Of `bytes`, how many have left.
    private var sentByteCount = 0
    /// How much is taken from the process's memory.
    private var countedByteCount = 0

    /// Takes memory for an answer until it has left.
    ///
    /// - Returns: false when there is none, and the request may be asked again: nothing was changed by it.
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

    /// Counts the whole buffer, whose answers the client does not read. It may be called again while they wait.
    ///
    /// - Returns: whether there is memory for them to wait in.
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

    /// All of it has left.
    @inline(__always)
    mutating func release(_ memory: MemoryBudget) {
        sentByteCount = 0
        guard countedByteCount > 0 else { return }
        memory.release(countedByteCount)
        countedByteCount = 0
    }

    /// Forgets what has not left.
    mutating func discard(_ memory: MemoryBudget) {
        bytes = []
        release(memory)
    }

    /// Sends what has not left yet, as far as the socket takes it.
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
