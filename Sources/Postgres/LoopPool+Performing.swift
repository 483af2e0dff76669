import Platform
import Reactor

// Actions.
extension LoopPool {
    @inline(never)
    func handle(_ event: PoolState.Event) {
        var actions: [PoolState.Action] = []
        // Performing an action may cause further events, which use a list of their own.
        swap(&actions, &spareActions)
        state.handle(event, at: now, into: &actions)
        for action in actions { perform(action) }
        actions.removeAll(keepingCapacity: true)
        spareActions = actions
    }

    func perform(_ action: PoolState.Action) {
        switch action {
        case .answer(let requests): for index in requests.indices { answer(requests[index]) }
        case .fail(let request, let error): fail(request, error)
        case .undo(let id): statements.discardResult(of: id)
        case .lend(let id, to: let lease): end(lease, .success(id))
        case .refuse(let lease, let error): end(lease, .failure(error))
        case .open(let id): begin(id)
        case .send(let batch, on: let id): send(batch, on: id)
        case .requestCancel(let id): requestCancel(id)
        case .check(let id, let error): check(id, error)
        case .close(let id): connections.removeValue(forKey: id)?.close()
        case .arm(let timer, at: let moment): arm(timer, at: moment)
        case .disarm(let timer): disarm(timer)
        case .tellSiblings(let news): tellSiblings(news)
        case .report(let report): self.report(report)
        }
    }

    @inline(__always)
    private func answer(_ request: PoolState.Request) {
        var pending = statements.remove(request.id)
        guard let sent = request.sent, let rows = pending.result.take() else {
            fatalError("\(pending.statement.name) is answered without a result")
        }
        observe(.completed(pending.statement, nanoseconds: now.nanoseconds(since: sent)))
        if rows.byteCount > pending.statement.enoughByteCount, fallsBack(pending, request, rows) { return }
        pending.caller.receive(.success(rows))
    }

    /// Runs another statement for the caller when these rows are not enough.
    @inline(never)
    private func fallsBack(_ pending: PendingStatement, _ request: PoolState.Request, _ rows: Rows) -> Bool {
        let needed = pending.statement.fallbacks.first { rows.byteCount > $0.byteCount && $0.isNeeded(rows) }
        guard let fallback = needed else { return false }
        var caller = pending.caller
        var expiry = request.deadline
        if let limit = fallback.limit, now + limit < expiry {
            caller = CallerWithRows(rows, for: caller)
            expiry = now + limit
        }
        guard let parameters = fallback.parameters else {
            submit(
                fallback.statement, pending.arguments, rows: request.rows, until: expiry, for: caller,
                reservation: pending.reservation)
            return true
        }
        do throws(DatabaseError) {
            let arguments = Arguments(try parameters(rows), for: fallback.statement)
            submit(fallback.statement, arguments, rows: request.rows, until: expiry, for: caller)
        } catch {
            caller.receive(.failure(error))
        }
        return true
    }

    private func fail(_ request: PoolState.Request, _ error: DatabaseError) {
        let pending = statements.remove(request.id)
        // Statements that a transaction could not send fail because of a lost connection, which was reported before.
        if !request.isOfTransaction || request.sent != nil { observe(.failed(pending.statement, error)) }
        pending.caller.receive(.failure(error))
    }

    private func end(_ lease: PoolState.Lease.ID, _ outcome: Result<Int, DatabaseError>) {
        guard let pending = leases.removeValue(forKey: lease) else { fatalError("lease \(lease) is unknown") }
        pending.resume(outcome)
    }

    private func begin(_ id: Int) {
        if case .starting = opening {
            opening = .first(id)
        } else {
            loop.task { [self] in await connect(id) }
        }
    }

    func connect(_ id: Int) async {
        let start = Instant.now
        let outcome = await connector.connect()
        let took = Instant.now - start
        do throws(DatabaseError) {
            let opened = try outcome.get()
            connections[id] = try Connection(id, opened, of: self, memory: memory)
            handle(.opened(id, took: took, isPooled: opened.isPooled))
        } catch {
            handle(.openFailed(id, error, took: took, jitter: .random(in: 0...1)))
        }
    }

    private func send(_ batch: PoolState.Batch, on id: Int) {
        guard let connection = connections[id] else { fatalError("connection \(id) is unknown") }
        if !batch.requests[0].isOfTransaction {
            guard connection.reserve(batch.size) else { return handle(.noMemory(id)) }
        }
        let now = now
        for index in batch.requests.indices {
            observe(.waited(nanoseconds: now.nanoseconds(since: batch.requests[index].enqueued)))
        }
        if let unsent = connection.send(batch.requests, of: statements) {
            return handle(.broke(id, .connectionLost, unsent: unsent))
        }
        guard connection.flush() else { return handle(.broke(id, .connectionLost, unsent: 0)) }
        connection.readiness.arm(expiry: batch.deadline)
    }

    private func requestCancel(_ id: Int) {
        // Created now: the connection may be gone when the task runs, while its statement still runs on the server.
        let request = connections[id].flatMap { CancelRequest($0.handle) }
        loop.task { [self] in
            var outcome = Connector.CancelOutcome.ended
            while let request {
                outcome = await Connector.cancel(request, on: loop, within: Cancellation.patience)
                guard outcome == .refused else { break }
                await loop.sleep(for: Self.cancelPause)
                guard state.mayCancelAgain(id, at: now) else { break }
            }
            handle(.cancelEnded(id, isOverdue: outcome == .overdue))
        }
    }

    private func check(_ id: Int, _ error: DatabaseError) {
        if connections[id]?.isStale == true { handle(.broke(id, error, unsent: 0)) }
    }

    private func arm(_ timer: PoolState.Timer, at moment: Instant) {
        if case .connection(let id) = timer {
            connections[id]?.readiness.arm(expiry: moment)
            return
        }
        // An earlier action of the same list may have changed this timer. The later decision counts.
        guard let latest = state.moment(of: timer) else { return }
        let deadline = timers[timer] ?? loop.makeDeadline { [self] in handle(.timer(timer)) }
        timers[timer] = deadline
        loop.arm(deadline, at: latest)
    }

    private func disarm(_ timer: PoolState.Timer) {
        if state.moment(of: timer) == nil, let deadline = timers[timer] { loop.cancel(deadline) }
    }

    private func tellSiblings(_ news: PoolState.SiblingNews) {
        for sibling in siblings {
            let core = sibling.core
            sibling.loop.execute { core.value.heardOfSibling(news) }
        }
    }

    private func report(_ report: PoolState.Report) {
        switch report {
        case .opened(let took): observe(.opened(duration: took.nanoseconds))
        case .openFailed(let error): observe(.openFailed(error))
        case .lost(let error): observe(.lost(error))
        case .reconnected: observe(.reconnected)
        case .up: observe(.up)
        case .down(let error): observe(.down(error))
        case .load(let load): observe(.load(load))
        }
    }
}
