import Formatting
import HTTP1
import Reactor

// Reads the socket, parses the bytes and keeps those that cannot be used yet.
extension Connection {
    /// Up to this size, kept input is covered by `ConnectionQuota.connectionByteCount`; above it is reserved in the
    /// process's memory budget.
    static let uncountedByteLimit = 1024
    /// First capacity of a body's buffer; it then doubles, up to the declared length of the body.
    private static let firstBodyByteCount = 16_384

    /// Uses the kept input, then reads the socket.
    func readOn() {
        guard exchange.isReading else { return }
        if !input.isEmpty { useInput() }
        if readiness.mayRead { read() }
    }

    /// Reads the socket until it would block and answers the complete requests.
    func read() {
        while exchange.isReading && readiness.mayRead {
            let buffer = worker.readBuffer
            switch buffer.receive(from: socket) {
            case .bytes(let received):
                if received.count == Worker.readByteLimit {
                    input.append(span: received)
                    perform(report(.readFilled))
                    countKept()
                } else {
                    readiness.readDrained()
                    if input.isEmpty {
                        let used = advance(received)
                        keep(received.extracting(used...))
                    } else {
                        input.append(span: received)
                        useInput()
                    }
                }
            case .wouldBlock: readiness.readDrained()
            case .end: perform(report(.ended))
            case .failed: perform(report(.failed))
            }
        }
    }

    /// Reads and drops bytes that arrive after the last response.
    func drop() {
        while exchange.isDropping && readiness.mayRead {
            let buffer = worker.readBuffer
            switch buffer.receive(from: socket) {
            case .bytes(let received):
                let filled = received.count == Worker.readByteLimit
                if !filled { readiness.readDrained() }
                let action = report(.dropped(byteCount: received.count, filledBuffer: filled))
                if action != .drop { return perform(action) }
            case .wouldBlock: readiness.readDrained()
            case .end: return perform(report(.ended))
            case .failed: return perform(report(.failed))
            }
        }
    }

    /// Parses the kept input and keeps the unused rest.
    private func useInput() {
        let kept = input
        input = []
        let used = advance(kept.span)
        // Moved, not copied: a head may arrive in very small pieces.
        if used == 0 && exchange.isReading { input = kept } else { keep(kept.span.extracting(used...)) }
        if countedInput > 0 { countKept() }
    }

    /// Parses received bytes and answers the complete requests.
    ///
    /// - Returns: how many bytes from the start of `bytes` were used.
    private func advance(_ bytes: Span<UInt8>) -> Int {
        var used = 0
        // Checked here because calling the parser without bytes would cost every request a call.
        while exchange.isReading && (used < bytes.count || reader.state != .idle) {
            let step: RequestReader.Step
            do { step = try readStep(bytes.extracting(used...)) } catch {
                guard error == .bodyTooLarge && !reader.expectsBody else {
                    refuse(error)
                    return used
                }
                used += request.head.bytes.count
                hasMoreInput = used < bytes.count
                admitTooLarge()
                continue
            }
            switch step {
            case .incomplete(let count):
                endInput(usingLast: count)
                return used + count
            case .head(let count):
                used += count
                hasMoreInput = used < bytes.count
                beginRequest()
            case .complete(let count):
                used += count
                hasMoreInput = used < bytes.count
                endBody()
            }
        }
        return used
    }

    @inline(__always)
    private func readStep(_ bytes: Span<UInt8>) throws(ProtocolError) -> RequestReader.Step {
        guard reader.expectsBody else { return try reader.read(bytes, head: &request.head, body: &request.body) }
        return try readBody(bytes)
    }

    private func readBody(_ bytes: Span<UInt8>) throws(ProtocolError) -> RequestReader.Step {
        if exchange.state == .reading(.refusedBody) {
            let room = exchange.droppableByteCount
            return try reader.read(bytes.extracting(first: room), head: &request.head, body: &request.body)
        }
        if case .body(let remaining) = reader.state { growBody(for: min(remaining, bytes.count), of: remaining) }
        return try reader.read(bytes, head: &request.head, body: &request.body)
    }

    /// Grows the body's buffer, at most to what the rest of the body needs.
    private func growBody(for count: Int, of remaining: Int) {
        let needed = request.body.count + count
        guard needed > request.body.capacity else { return }
        let most = request.body.count + remaining
        request.body.reserveCapacity(min(most, max(needed, 2 * request.body.capacity, Self.firstBodyByteCount)))
    }

    @inline(never)
    private func refuse(_ error: ProtocolError) {
        perform(report(.malformed(error)))
    }

    /// Reports that all bytes were used, the last `count` of them for an unfinished message.
    @inline(never)
    private func endInput(usingLast count: Int) {
        switch reader.state {
        case .idle: perform(report(.inputUsed))
        case .head: perform(report(.partOfHead))
        case .body, .chunks:
            let isKept = exchange.state == .reading(.body)
            perform(report(isKept && !countInput() ? .outOfMemory(.request) : .partOfBody(byteCount: count)))
        }
    }

    /// Keeps received but unused bytes, unless no request can follow.
    private func keep(_ rest: Span<UInt8>) {
        if rest.isEmpty || exchange.discardsInput { return }
        input.append(span: rest)
        countKept()
    }

    private func countKept() {
        if !countInput() { perform(report(.outOfMemory(.input))) }
    }

    /// Updates the reservation for the kept input.
    ///
    /// - Returns: false when the memory budget has no room for it.
    func countInput() -> Bool {
        // The call that kept the input has closed the connection and released everything.
        if exchange.state == .closed { return true }
        let kept = input.capacity + request.body.capacity + request.head.bytes.capacity
        let bytes = kept > Self.uncountedByteLimit ? kept : 0
        if bytes > countedInput {
            guard worker.options.memory.reserve(bytes - countedInput, for: .body) else { return false }
        } else if bytes < countedInput {
            worker.options.memory.release(countedInput - bytes)
        }
        countedInput = bytes
        return true
    }

    /// Drops the bytes behind the request, but not the request's body.
    func forgetInput() {
        input = []
        // The count can only decrease here, so the reservation cannot fail.
        _ = countInput()
    }
}
