import Platform

// Sending what waits.
extension PoolState {
    /// The next step for waiting callers.
    enum Next: Equatable {
        /// Send a batch on this idle connection.
        case use(Int)
        /// Open one more connection, then decide again.
        case connect
        /// Decide again at the next event, or at this time.
        case wait(until: Instant?)
    }

    mutating func endIteration() {
        hasWork = false
        if lacksMemory {
            lacksMemory = false
        } else {
            serveLeases()
            sendBatches()
        }
        // A batch was sent and others wait: they follow when it is known whether sending succeeded.
        if hasWork { return }
        if isWaitOver {
            isWaitOver = false
            expireWaiting()
        }
        reportLoad()
    }

    /// The next step when a caller has been waiting since `oldest`.
    func next(oldest: Instant) -> Next {
        if let id = slots.idle.last { return .use(id) }
        // One attempt at a time: a second one would not finish before the first.
        if slots.connectingCount > 0 { return .wait(until: nil) }
        switch availability {
        case .down, .closing: return .wait(until: nil)
        case .unknown, .up: break
        }
        if slots.all.count >= limits.maximum {
            guard mayOpenBeside, let first = firstEnding else { return .wait(until: nil) }
            let end = first + Self.endingPause
            if now < end { return .wait(until: end) }
        }
        let patience = oldest + limits.growAfter
        if openCount > 0 && now < patience { return .wait(until: patience) }
        return now < nextAttempt ? .wait(until: nextAttempt) : .connect
    }

    private var firstEnding: Instant? {
        slots.all.reduce(nil) { first, slot in
            if case .ending(let since) = slot.use { min(first ?? .distantFuture, since) } else { first }
        }
    }

    private mutating func serveLeases() {
        while let waiting = leaseQueue.first {
            switch next(oldest: waiting.enqueued) {
            case .use(let id):
                leaseQueue.removeFirst()
                guard let index = slots.index(of: id) else { fatalError("idle connection \(id) is unknown") }
                slots.change(index, to: .leased)
                emit(.lend(id, to: waiting.id))
                continue
            case .connect: open()
            case .wait: arm(.grow, at: now + limits.growAfter)
            }
            return armWait()
        }
    }

    private mutating func sendBatches() {
        while let oldest = queue.first {
            switch next(oldest: oldest.enqueued) {
            case .use(let id):
                guard let index = slots.index(of: id) else { fatalError("idle connection \(id) is unknown") }
                sendBatch(on: index)
                hasWork = !queue.isEmpty
                return
            case .connect: open()
            case .wait(let moment):
                if let moment { arm(.grow, at: moment) }
                return armWait()
            }
        }
    }

    private mutating func sendBatch(on index: Int) {
        // All waiting statements may be overdue.
        guard let (batch, last) = takeBatch(isPooled: slots[index].isPooled) else { return }
        slots.change(index, to: .batch)
        slots[index].inFlight = batch.requests
        slots[index].isBusy = true
        (slots[index].deadline, slots[index].lastDeadline) = (batch.deadline, last)
        emit(.send(batch, on: slots[index].id))
    }

    /// Takes as many statements from the front of the queue as fit into one batch, and fails overdue ones.
    ///
    /// - Returns: the batch, and the latest deadline in it; nil when all were overdue.
    private mutating func takeBatch(isPooled: Bool) -> (Batch, last: Instant)? {
        var size = BatchSize()
        var (first, last) = (Instant.distantFuture, now)
        var (count, rows, hasRead, hasWrite) = (0, 0, false, false)
        while count < min(queue.count, limits.batchLimit) {
            // If it were sent, its neighbours would lose the connection at once.
            if now >= queue[count].deadline {
                failLate()
                continue
            }
            rows += queue[count].rows
            let larger = size.adding(queue[count])
            let isTooMuch =
                rows > limits.batchRowLimit || larger.parameters > limits.batchParameterByteLimit
                || larger.bytes > limits.batchByteLimit
            if count > 0 {
                if isTooMuch || queue[count].mayBeSlow || queue[count - 1].mayBeSlow { break }
                if isPooled && queue[count - 1].isApart(from: queue[count]) { break }
            }
            if queue[count].isWrite { hasWrite = true } else { hasRead = true }
            (first, last) = (min(first, queue[count].deadline), max(last, queue[count].deadline))
            queue[count].sent = now
            size = larger
            count += 1
        }
        if count == 0 { return nil }
        var batch: [Request] = []
        if count == queue.count {
            // Usually the whole queue, which then need not be copied.
            swap(&batch, &queue)
            // The next batch is usually as large.
            queue.reserveCapacity(count)
        } else {
            batch = Array(queue.prefix(count))
            queue.removeFirst(count)
        }
        // A commit may wait for locks or for a standby; a read waits for neither.
        if hasRead && hasWrite { batch = batch.filter { !$0.isWrite } + batch.filter(\.isWrite) }
        return (Batch(requests: batch, deadline: first, size: size), last)
    }

    /// Fails every waiting statement whose deadline has passed. In one pass, because after a pause of the process a full queue may
    /// be late.
    private mutating func failLate() {
        let now = now
        let late = queue.filter { now >= $0.deadline }
        queue.removeAll { now >= $0.deadline }
        for request in late { fail(request, .deadlineExceeded) }
    }

    /// There was no memory for a batch: there may be enough for its first statement. If not, idle connections with
    /// large buffers are closed, since what waits needs the memory more.
    mutating func takeBack(from id: Int) {
        guard let index = slots.index(of: id) else { fatalError("no memory for connection \(id), which is unknown") }
        let batch = slots[index].inFlight
        if batch.count > 1 {
            queue.insert(contentsOf: batch.dropFirst(), at: 0)
            slots[index].inFlight = [batch[0]]
            (slots[index].deadline, slots[index].lastDeadline) = (batch[0].deadline, batch[0].deadline)
            let size = BatchSize().adding(batch[0])
            return emit(.send(Batch(requests: [batch[0]], deadline: batch[0].deadline, size: size), on: id))
        }
        queue.insert(contentsOf: batch, at: 0)
        slots[index].inFlight = []
        slots[index].isBusy = false
        slots.change(index, to: .idle(since: now))
        if closeGrown() { return }
        lacksMemory = true
        // They may have reached their limit while they were on their way, when the wait timer did not cover them.
        isWaitOver = true
        arm(.grow, at: now + Self.memoryPause)
        armWait()
    }

    // Transactions.

    mutating func submit(_ request: Request, on id: Int) {
        var request = request
        request.isAlone = true
        request.isOfTransaction = true
        request.deadline = min(request.deadline, now.advanced(byNanoseconds: statementSpan))
        guard let index = slots.index(of: id), slots[index].use == .leased else {
            return fail(request, .connectionLost)
        }
        // The pending cancel request might stop this statement instead of the previous one.
        if slots[index].cancellation.isOnItsWay { return slots[index].held.append(request) }
        send([request], on: index)
    }

    private mutating func send(_ requests: [Request], on index: Int) {
        var requests = requests
        var size = BatchSize()
        if !slots[index].isBusy { slots[index].lastDeadline = Instant(nanoseconds: 0) }
        for place in requests.indices {
            requests[place].sent = now
            slots[index].lastDeadline = max(slots[index].lastDeadline, requests[place].deadline)
            size = size.adding(requests[place])
        }
        slots[index].inFlight += requests
        slots[index].isBusy = true
        setDeadline(of: index)
        emit(.send(Batch(requests: requests, deadline: slots[index].deadline, size: size), on: slots[index].id))
    }

    /// Sends the statements that were held back during a cancel request, all at once, because the connection may break
    /// under the first of them.
    mutating func sendHeld(on index: Int) {
        let held = slots[index].held
        if held.isEmpty { return }
        slots[index].held = []
        send(held, on: index)
    }

    mutating func giveBack(_ id: Int, isInTransaction: Bool) {
        guard let index = slots.index(of: id), slots[index].use == .leased else { return }
        slots.change(index, to: .batch)
        for request in slots[index].held { fail(request, .connectionLost) }
        slots[index].held = []
        // The cancel request may have stopped the ROLLBACK.
        if isInTransaction { return lose(id, .unexpectedResult("a transaction that did not end")) }
        becomeIdle(id)
    }
}
