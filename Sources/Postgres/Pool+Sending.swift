import DequeModule
import Reactor

// Batches on their way out, and answers on their way back.
extension Pool {
    /// The end of a turn: sends what was asked for during it.
    func flush() {
        guard hasWork else { return }
        hasWork = false
        serveLeases()
        gathering: while let oldest = queue.first {
            switch state.next(oldest: oldest.enqueued, now: loop.now) {
            case .use(let identifier):
                guard let connection = connections[identifier] else {
                    fatalError("idle connection \(identifier) is unknown")
                }
                if !sendBatch(on: connection) {
                    // Buffers that nothing runs in are of less use than what waits.
                    if retireGrown() { continue }
                    loop.arm(growDeadline, at: loop.now + Self.memoryPause)
                    armWaitDeadline()
                    break gathering
                }
            case .connect(let identifier):
                begin(identifier)
            case .wait(let moment):
                if let moment { loop.arm(growDeadline, at: moment) }
                armWaitDeadline()
                break gathering
            }
        }
        if isWaitOver {
            isWaitOver = false
            expireWaiting()
        }
        reportLoad()
    }

    /// - Returns: false when there is no memory for what waits.
    private func sendBatch(on connection: Connection) -> Bool {
        let now = loop.now
        var size = BatchSize()
        let parameterLimit = state.limits.batchParameterByteLimit
        let byteLimit = memory.limit / Self.batchShare
        var batch: [PendingStatement] = []
        batch.reserveCapacity(min(queue.count, state.limits.batchLimit))
        var rows = 0
        var hasRead = false
        var hasWrite = false
        while batch.count < state.limits.batchLimit, let pending = queue.popFirst() {
            rows += pending.rows
            let larger = size.adding(pending)
            let isTooMuch =
                rows > state.limits.batchRowLimit || larger.parameters > parameterLimit || larger.bytes > byteLimit
            if let last = batch.last, isTooMuch || connection.isPooled && last.isApart(from: pending) {
                queue.prepend(pending)
                break
            }
            // Sent, it would at once cost its neighbours the connection.
            if now >= pending.deadline {
                fail(pending, .deadlineExceeded, now: now)
                continue
            }
            if pending.isWrite { hasWrite = true } else { hasRead = true }
            batch.append(pending)
            size = larger
        }
        // A commit may have to wait for locks or for a standby, and a read for neither.
        if hasRead && hasWrite { batch = batch.filter { !$0.isWrite } + batch.filter(\.isWrite) }
        lastBatchCount = batch.count
        guard !batch.isEmpty else {
            state.finished(connection.identifier, now: now)
            return true
        }
        if !connection.reserve(size) {
            // There may be enough for the first of them.
            for pending in batch.reversed() { queue.prepend(pending) }
            guard batch.count > 1, connection.reserve(BatchSize().adding(batch[0])) else {
                state.finished(connection.identifier, now: now)
                return false
            }
            batch = [queue.removeFirst()]
        }
        send(batch, on: connection)
        return true
    }

    func send(_ batch: [PendingStatement], on connection: Connection) {
        let now = loop.now
        let wasBusy = connection.isBusy
        for pending in batch {
            pending.sent = now
            observe(.waited(nanoseconds: now - pending.enqueued))
        }
        if let unsent = connection.send(batch) {
            for pending in unsent.reversed() { retry(pending, orFail: .connectionLost, now: now) }
            lose(connection, .connectionLost)
            return
        }
        guard let isHolding = connection.flush() else {
            lose(connection, .connectionLost)
            return
        }
        // Inside a transaction there may be statements before it, with a deadline of their own.
        if wasBusy { armDeadline(of: connection) } else { connection.readiness.arm(expiry: connection.deadline) }
        if isHolding && !connection.isDraining {
            connection.isDraining = true
            let identifier = connection.identifier
            Task(executorPreference: loop) { await self.drainOutput(of: identifier) }
        }
    }

    /// Pushes what the socket did not take at once.
    func drainOutput(of identifier: Int) async {
        while let connection = connections[identifier] {
            if await connection.readiness.untilWritable() == .interrupted { return }
            // It may have been given up in the turn in which this was told of it.
            guard connections[identifier] === connection else { return }
            guard let isHolding = connection.flush() else {
                lose(connection, .connectionLost)
                return
            }
            if !isHolding {
                connection.isDraining = false
                return
            }
        }
    }

    /// Reads for one connection until it is gone.
    func run(_ identifier: Int) async {
        while let connection = connections[identifier] {
            let wake = await connection.readiness.untilReadable()
            // As above.
            guard connections[identifier] === connection else { return }
            switch wake {
            case .ready: take(connection.receive(), from: connection)
            case .expired: checkDeadline(of: connection)
            case .interrupted: return
            }
        }
    }

    func take(_ received: Connection.Received, from connection: Connection) {
        let now = loop.now
        var readOnly: DatabaseError?
        for pending in received.confirmed {
            if case .failure(let error)? = pending.outcome {
                if error.isReadOnlyServer { readOnly = error }
                // Meant for another statement, or too late; that it was rolled back is certain.
                if error.isCancellation && !connection.isLeased && !pending.isAnswered
                    && connection.cancellation.struckAnother(sent: pending.sent, ownLimit: statementLimit, now: now)
                {
                    retry(pending, orFail: error, now: now)
                    continue
                }
            }
            answer(pending, now: now)
        }
        if let staleness = received.staleness { renew(connection, staleness, received.stale, now: now) }
        for pending in received.undone.reversed() { runAlone(pending) }
        if let loss = received.loss {
            lose(connection, loss)
        } else if connection.isBusy {
            if connection.cancellation.isOpen { renewDeadline(of: connection) }
        } else {
            becomeIdle(connection)
        }
        if let readOnly { retireGeneration(readOnly, tellingSiblings: true) }
        hasWork = true
    }

    /// The prepared statements of a connection are no longer what they were, and so may be those of all others: they are
    /// opened anew, and what did not happen runs on another one.
    private func renew(
        _ connection: Connection, _ error: DatabaseError, _ undone: [PendingStatement], now: UInt64
    ) {
        let isNews = retireGeneration(error, tellingSiblings: true)
        // This one has no use for itself, however short ago others were opened anew.
        if error.isStalePlan { connection.retirement = error }
        for pending in undone.reversed() where !pending.isAnswered {
            let isRetired = isNews || connection.retirement != nil
            switch TransactionEnd.Repeat(isConnectionRetired: isRetired, isAlone: pending.isAlone, count: undone.count)
            {
            case .elsewhere: retry(pending, orFail: error, now: now)
            case .alone: runAlone(pending)
            case .none: fail(pending, error, now: now)
            }
        }
    }

    /// Queues a statement again, before all others, that another one's failure has undone.
    private func runAlone(_ pending: PendingStatement) {
        if pending.isAnswered { return }
        pending.isAlone = true
        pending.outcome = nil
        hastenWaitDeadline(to: pending.deadline)
        queue.prepend(pending)
    }

    /// Nothing is in flight on it: it serves the next batch, unless it is spoken for or done with.
    func becomeIdle(_ connection: Connection) {
        if connection.isBusy { return }
        guard connection.cancellation.nothingRuns() else { return armDeadline(of: connection) }
        connection.releaseMemory()
        if connection.hasGrown { shrinkSoon() }
        if connection.isLeased { return }
        if let retirement = connection.retirement { return lose(connection, retirement) }
        switch state.slots[connection.identifier] {
        case .busy, .leased: state.finished(connection.identifier, now: loop.now)
        case nil, .connecting, .idle, .ending: break
        }
    }

    /// Queues a statement again, before all others, unless that happened often enough or the pool closes.
    func retry(_ pending: PendingStatement, orFail error: DatabaseError, now: UInt64) {
        guard pending.losses < lossLimit && state.availability != .closing else {
            return fail(pending, error, now: now)
        }
        pending.losses += 1
        pending.outcome = nil
        hastenWaitDeadline(to: pending.deadline)
        queue.prepend(pending)
    }

    func fail(_ pending: PendingStatement, _ error: DatabaseError, now: UInt64) {
        pending.outcome = .failure(error)
        answer(pending, now: now)
    }

    func answer(_ pending: PendingStatement, now: UInt64) {
        // Its deadline was faster.
        if pending.isAnswered { return }
        guard let outcome = pending.outcome.take() else {
            fatalError("\(pending.statement.name) confirmed without an outcome")
        }
        switch outcome {
        case .success(let rows):
            observe(.completed(pending.statement, nanoseconds: now - pending.sent))
            if rows.byteCount > pending.statement.enoughByteCount, fallsBack(pending, rows, now: now) { return }
        case .failure(let error): observe(.failed(pending.statement, error))
        }
        pending.resume(outcome)
    }

    /// Has another statement answer the caller, where these rows are not enough.
    @inline(never)
    private func fallsBack(_ pending: PendingStatement, _ rows: Rows, now: UInt64) -> Bool {
        guard let fallback = pending.statement.fallback, fallback.isNeeded(rows) else { return false }
        submit(pending.followed(by: fallback.statement, now: now))
        return true
    }

    /// Answers whoever has waited enough, and has the server stop what runs: the neighbours are undone by that and run
    /// again. A server that does not react costs them the connection.
    func checkDeadline(of connection: Connection) {
        let now = loop.now
        guard now >= connection.deadline, connection.isBusy || connection.cancellation.isOnItsWay else { return }
        let late = connection.inFlight.filter { now >= $0.deadline && !$0.isAnswered }
        // It was moved meanwhile.
        if late.isEmpty && now < connection.cancellation.limit ?? .max { return armDeadline(of: connection) }
        let action = connection.cancellation.deadlinePassed(now: now)
        if action == .giveUp { return lose(connection, .deadlineExceeded) }
        for pending in late {
            observe(.failed(pending.statement, .deadlineExceeded))
            // Not its outcome: that is still the server's to tell, for what shares its transaction.
            pending.resume(.failure(.deadlineExceeded))
        }
        armDeadline(of: connection)
        guard action == .ask else { return }
        // Made now: the connection may be gone when the task runs, and what the server runs is not.
        let request = CancelRequest(connection.handle)
        let identifier = connection.identifier
        Task(executorPreference: loop) { await self.cancel(identifier, request) }
    }

    /// Does not hold the connection: one that is given up meanwhile is closed at once.
    private func cancel(_ identifier: Int, _ request: CancelRequest?) async {
        var outcome = Connector.CancelOutcome.ended
        if let request {
            let limit = loop.now + Self.cancelPatience
            repeat {
                outcome = await Connector.cancel(request, on: loop, within: Self.cancelPatience)
                guard outcome == .refused else { break }
                await loop.sleep(nanoseconds: Self.cancelPause)
            } while isWorthCancelling(identifier) && loop.now < limit
        }
        guard let connection = connections[identifier] else {
            if let replacement = state.ended(identifier) { begin(replacement) }
            hasWork = true
            return
        }
        // The request may still arrive and stop whatever is sent next. The other connections stay: had the server fallen
        // silent, this one would have been given up after `cancelGrace`. Nobody waits for the request any more, so it keeps
        // no place.
        connection.cancellation.requestEnded(now: loop.now)
        if outcome == .overdue { return lose(connection, .connectionLost) }
        becomeIdle(connection)
        hasWork = true
    }

    /// Whether something may still run that nobody waits for: also when the connection is gone.
    private func isWorthCancelling(_ identifier: Int) -> Bool {
        connections[identifier]?.isBusy ?? true
    }

    /// The server reacts: what is left has the time it was given. With nobody left who waits, it only has to end.
    private func renewDeadline(of connection: Connection) {
        let isAwaited = connection.inFlight.contains { !$0.isAnswered }
        connection.cancellation.serverReacted(isAwaited: isAwaited, now: loop.now)
        armDeadline(of: connection)
    }

    private func armDeadline(of connection: Connection) {
        let first = connection.inFlight.reduce(UInt64.max) { $1.isAnswered ? $0 : min($0, $1.deadline) }
        connection.deadline = min(first, connection.cancellation.limit ?? .max)
        connection.readiness.arm(expiry: connection.deadline)
    }
}
