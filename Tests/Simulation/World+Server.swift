// The simulated PostgreSQL: sessions that run statements, one transaction per Sync. It records which
// statements ran and how often each write was committed.
extension World {
    /// Statements that take longer than this end with an event of their own, so that other events can happen meanwhile.
    private static let shortCost = 300 * Moment.microsecond

    func openBackend(pool: Int, connection: Int) -> Int {
        var index = 0
        // A session that the loop has not adopted yet may not be reused.
        while index < backends.count, backends[index].isOpen || !backends[index].isAdopted { index += 1 }
        if index == backends.count { backends.append(Backend(index: index)) }
        backends[index].open(pool: pool, connection: connection, at: now)
        return index
    }

    /// Schedules the arrival of messages from the service.
    func deliver(_ count: Int, to backend: Backend) {
        if now < server.deafUntil {
            backend.inbox.removeLast(count)
            // After lost bytes nothing that follows can be parsed.
            backend.isOrphan = true
            return
        }
        var moment = now + life.delay
        if dice.percent(20) { moment += dice.time(1 * .microsecond...2 * .millisecond) }
        moment = max(moment, backend.lastArrival, server.heldUntil)
        backend.lastArrival = moment
        queue.schedule(.batchArrives(backend: backend.index, session: backend.session, count: count), at: moment)
    }

    func batchArrives(_ backend: Backend, _ count: Int) {
        backend.arrived = min(backend.arrived + count, backend.inbox.count)
        proceed(backend)
    }

    /// Processes arrived messages until one takes time.
    func proceed(_ backend: Backend) {
        if !backend.isOpen { return }
        backend.clock = max(backend.clock, now)
        while backend.work == .nothing, backend.position < backend.arrived {
            switch backend.inbox[backend.position] {
            case .statement(let statement):
                begin(backend, cost: statements[statement].plan.cost)
            case .group(let start, let count):
                var cost: Moment = 0
                for member in groups[start..<start + count] { cost = max(cost, statements[member].plan.cost) }
                begin(backend, cost: cost)
            case .sync: endTransaction(backend)
            }
        }
        if backend.isOrphan, backend.work == .nothing, backend.position == backend.inbox.count {
            backend.isOpen = false
        }
    }

    private func begin(_ backend: Backend, cost: Moment) {
        if backend.hasFailed { return finishStatement(backend) }
        if cost <= Self.shortCost {
            backend.clock += cost
            return finishStatement(backend)
        }
        backend.work = .statement
        backend.workNumber += 1
        // Behind a pooler the server has no statement timeout.
        let isLimited = !life.isPooled && cost > life.statementTimeout
        backend.isCancelled = isLimited
        backend.isCancelledByService = false
        let length = isLimited ? life.statementTimeout : cost
        queue.schedule(.workEnds(backend: backend.index, number: backend.workNumber), at: backend.clock + length)
    }

    func workEnds(_ backend: Backend) {
        backend.clock = max(backend.clock, now)
        backend.workNumber += 1
        switch backend.work {
        case .nothing: return
        case .statement:
            backend.work = .nothing
            finishStatement(backend)
        case .commit:
            backend.work = .nothing
            confirm(backend)
        }
        proceed(backend)
    }

    private func finishStatement(_ backend: Backend) {
        let message = backend.inbox[backend.position]
        backend.position += 1
        if backend.hasFailed { return reply(.passedOver, from: backend) }
        let first: Int
        var fault: ServerFault?
        switch message {
        case .statement(let statement):
            first = statement
            fault = verdict(on: statement, backend)
            if fault == nil { backend.executed.append(statement) }
        case .group(let start, let count):
            first = groups[start]
            for member in groups[start..<start + count] where fault == nil { fault = verdict(on: member, backend) }
            if fault == nil { backend.executed.append(contentsOf: groups[start..<start + count]) }
        case .sync: fatalError("a Sync is no statement")
        }
        backend.isCancelled = false
        if let fault {
            backend.hasFailed = true
            if backend.isInBlock { backend.isBlockFailed = true }
            see(.serverRefusesStatement)
            reply(.failed(fault), from: backend)
        } else {
            take(first, backend)
            reply(.done, from: backend)
        }
    }

    private func take(_ first: Int, _ backend: Backend) {
        switch statements[first].kind {
        case .begin: backend.isInBlock = true
        case .commit:
            if backend.isBlockFailed { backend.executed.removeAll(keepingCapacity: true) } else { commit(backend) }
            backend.isInBlock = false
            backend.isBlockFailed = false
        case .rollback:
            backend.executed.removeAll(keepingCapacity: true)
            backend.isInBlock = false
            backend.isBlockFailed = false
        case .read, .insert, .update: break
        }
    }

    private func verdict(on statement: Int, _ backend: Backend) -> ServerFault? {
        statements[statement].runs += 1
        let kind = statements[statement].kind
        if backend.isCancelled {
            statements[statement].isStoppedByService = backend.isCancelledByService
            return .cancelled
        }
        if kind == .rollback || kind == .commit { return nil }
        if backend.isBlockFailed { return .blockFailed }
        if backend.isStale && kind != .begin { return .stalePlan }
        if kind == .begin { return nil }
        if kind.isWrite && (now < server.readOnlyUntil || backend.isOldPrimary) { return .readOnly }
        switch statements[statement].plan.verdict {
        case .fails where kind.isWrite: return .constraint
        case .conflicts where statements[statement].runs == 1: return .conflict
        case .fails, .conflicts, .failsAtCommit, .succeeds: return nil
        }
    }

    private func endTransaction(_ backend: Backend) {
        if backend.isInBlock {
            backend.position += 1
            backend.hasFailed = false
            return reply(.synced, from: backend)
        }
        if !backend.hasFailed {
            if backend.executed.contains(where: {
                statements[$0].plan.verdict == .failsAtCommit && statements[$0].kind.isWrite
            }) {
                backend.hasFailed = true
                see(.commitFails)
                reply(.commitFailed(.constraint), from: backend)
            } else {
                backend.waiting.removeAll(keepingCapacity: true)
                for statement in backend.executed where statements[statement].kind.isWrite {
                    backend.waiting.append(statement)
                }
                commit(backend)
                if !backend.waiting.isEmpty && now < server.stalledUntil {
                    backend.work = .commit
                    backend.workNumber += 1
                    see(.commitWaits)
                    return
                }
            }
        }
        confirm(backend)
    }

    /// Commits the transaction on this server.
    private func commit(_ backend: Backend) {
        for statement in backend.executed where statements[statement].kind.isWrite {
            statements[statement].commits += 1
            if statements[statement].commits > 1 {
                fail(.twice, "statement \(statement) was committed \(statements[statement].commits) times")
            }
        }
        backend.executed.removeAll(keepingCapacity: true)
    }

    private func confirm(_ backend: Backend) {
        backend.position += 1
        backend.executed.removeAll(keepingCapacity: true)
        backend.hasFailed = false
        if backend.isCancelled {
            backend.isCancelled = false
            // Without the warning the service can only suspect it after a cancel request of its own.
            let isTold = !life.hidesWarnings || backend.isCancelledByService && !life.isPooled
            for statement in backend.waiting where isTold { statements[statement].isDoubtful = true }
            if !life.hidesWarnings { reply(.warning, from: backend) }
        }
        reply(.synced, from: backend)
    }

    private func reply(_ reply: Backend.Reply, from backend: Backend) {
        if backend.isOrphan || now < server.muteUntil {
            backend.isOrphan = true
            return
        }
        var moment = backend.clock + life.delay
        if dice.percent(10) { moment += dice.time(1 * .microsecond...3 * .millisecond) }
        moment = max(moment, backend.lastReply, server.heldUntil)
        backend.lastReply = moment
        queue.schedule(.replyArrives(backend: backend.index, session: backend.session, reply), at: moment)
    }

    /// A cancel request reaches the server.
    func cancelArrives(at backend: Backend, isByService: Bool) {
        backend.isCancelledByService = isByService
        switch backend.work {
        case .nothing: see(.cancelMeetsNothing)
        case .statement:
            see(.cancelStopsStatement)
            backend.isCancelled = true
            queue.schedule(.workEnds(backend: backend.index, number: backend.workNumber), at: now)
        case .commit:
            see(.cancelMeetsCommit)
            backend.isCancelled = true
            queue.schedule(.workEnds(backend: backend.index, number: backend.workNumber), at: now)
        }
    }

    /// The server ends a session and rolls back its open transaction.
    func end(_ backend: Backend, _ fault: ServerFault?) {
        guard backend.isOpen else { return }
        if backend.work != .nothing || !backend.executed.isEmpty { see(.endedBeforeCommit) }
        backend.executed.removeAll(keepingCapacity: true)
        backend.work = .nothing
        backend.clock = now
        if let fault { reply(.goodbye(fault), from: backend) }
        reply(.reset, from: backend)
        backend.isOpen = false
    }

    /// The network resets a connection. The server still runs the statements that have arrived; their answers are lost.
    func reset(_ backend: Backend) {
        guard backend.isOpen, !backend.isOrphan else { return }
        see(.connectionReset)
        if backend.position < backend.inbox.count { see(.resetInFlight) }
        backend.inbox.removeLast(backend.inbox.count - backend.arrived)
        queue.schedule(.replyArrives(backend: backend.index, session: backend.session, .reset), at: now)
        backend.isOrphan = true
        proceed(backend)
    }
}
