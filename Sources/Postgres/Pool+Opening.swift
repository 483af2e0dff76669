import DequeModule
import Reactor

// Connections that come and go.
extension Pool {
    func begin(_ identifier: Int) {
        Task(executorPreference: loop) { await self.connect(identifier) }
    }

    func connect(_ identifier: Int) async {
        let start = EventLoop.monotonicNanoseconds()
        switch await connector.connect() {
        case .success(let opened):
            admit(identifier, opened, duration: EventLoop.monotonicNanoseconds() - start)
        case .failure(let error):
            attemptFailed(identifier, error, duration: EventLoop.monotonicNanoseconds() - start)
        }
        hasWork = true
    }

    func admit(_ identifier: Int, _ opened: Connector.Opened, duration: UInt64) {
        let connection: Connection
        do {
            connection = try Connection(
                identifier, opened.handle, on: loop, prepared: opened.prepared, isPooled: opened.isPooled,
                statementLimit: statementLimit, memory: memory)
        } catch {
            attemptFailed(identifier, .connectFailed("\(error)"), duration: duration)
            return
        }
        if state.availability == .closing {
            _ = state.connectFailed(identifier, now: loop.now, jitter: 0)
            connection.readiness.cancel()
            return
        }
        connections[identifier] = connection
        state.connected(identifier, now: loop.now)
        observe(.opened(duration: duration))
        if lostCount > 0 {
            lostCount -= 1
            observe(.reconnected)
        }
        if reportedUp != true {
            reportedUp = true
            observe(.up)
            for sibling in siblings {
                Task(executorPreference: sibling.loop) { await sibling.expectReturn() }
            }
        }
        Task(executorPreference: loop) { await self.run(identifier) }
        for missing in state.refill() { begin(missing) }
    }

    func attemptFailed(_ identifier: Int, _ error: DatabaseError, duration: UInt64) {
        let moment = state.connectFailed(
            identifier, took: duration, isCrowded: error.errorClass == .resources, now: loop.now,
            jitter: .random(in: 0...1))
        observe(.openFailed(error))
        absence = error.errorClass == .statement ? error : .unavailable
        if state.availability == .down {
            if reportedUp != false {
                reportedUp = false
                observe(.down(error))
            }
            failWaiting(absence)
        }
        if let moment { loop.arm(retryDeadline, at: moment) }
    }

    /// Another pool has found the database again: no pause is of use any more, and nobody is refused before this pool has
    /// tried for itself.
    func expectReturn() {
        guard let identifier = state.expectReturn() else { return }
        loop.cancel(retryDeadline)
        begin(identifier)
    }

    func retry() {
        if let identifier = state.retry() { begin(identifier) }
    }

    /// Gives an open connection up. Reads that had no answer run again elsewhere, once; writes may have happened.
    func lose(_ connection: Connection, _ error: DatabaseError) {
        // Its reader and its writer may both find it broken in one turn.
        guard connections[connection.identifier] === connection else { return }
        lostCount = min(lostCount + 1, state.limits.maximum)
        observe(.lost(error))
        discard(connection, error)
        let moment = connection.cancellation.isOnItsWay ? loop.now : nil
        if let replacement = state.lost(connection.identifier, endingSince: moment) { begin(replacement) }
        dropIdle(after: error)
        hasWork = true
    }

    /// What ended one connection has often ended others, and what was read for once more must not meet the next one of
    /// them. A server that fell silent leaves no trace on those that nobody uses, so all of them go.
    private func dropIdle(after error: DatabaseError) {
        for connection in connections.values {
            guard case .idle? = state.slots[connection.identifier] else { continue }
            if error == .deadlineExceeded || connection.isStale { lose(connection, error) }
        }
    }

    /// What one connection met all others may meet: after a failover a server that is a standby now and takes no writes, or
    /// prepared statements that are no longer what they were. They are closed as soon as nothing runs on them, and opened
    /// anew, at most once in `PoolState.retirementPause`: when the server stays read-only, its reads go on being served.
    ///
    /// - Returns: whether it was time.
    @discardableResult
    func retireGeneration(_ error: DatabaseError, tellingSiblings: Bool) -> Bool {
        guard state.mayRetireGeneration(now: loop.now) else { return false }
        for connection in connections.values {
            connection.retirement = error
            if case .idle? = state.slots[connection.identifier] { lose(connection, error) }
        }
        guard tellingSiblings else { return true }
        for sibling in siblings {
            Task(executorPreference: sibling.loop) { await sibling.retireGeneration(error, tellingSiblings: false) }
        }
        return true
    }

    func discard(_ connection: Connection, _ error: DatabaseError) {
        connections[connection.identifier] = nil
        let now = loop.now
        for pending in connection.abandon().reversed() where !pending.isAnswered {
            var reason = DatabaseError.connectionLost
            if case .failure(let own)? = pending.outcome { reason = own }
            if error == .deadlineExceeded && now >= pending.deadline {
                fail(pending, .deadlineExceeded, now: now)
            } else if !pending.isWrite && (reason.retiresConnection || reason.isStalePlan) {
                // Nothing is wrong with the statement: the server shut down, or its connection broke.
                retry(pending, orFail: reason, now: now)
            } else {
                fail(pending, reason, now: now)
            }
        }
    }

    func retireIdle() {
        for identifier in state.retireIdle(now: loop.now) {
            guard let connection = connections.removeValue(forKey: identifier) else {
                fatalError("idle connection \(identifier) is unknown")
            }
            _ = connection.abandon()
        }
        reportLoad()
        loop.arm(idleDeadline, at: loop.now + state.limits.idleLimit / 4)
    }
}
