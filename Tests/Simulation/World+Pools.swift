import Platform
import Postgres

// Plays the part of `Postgres.LoopPool`: passes events to `PoolState`, and performs its actions in order.
extension World {
    /// More batches than this at the end of one iteration mean that the pool never becomes idle.
    private static let batchLimit = 10_000

    /// Reports an event and performs the actions. An action may lead to another event, whose actions are performed before the
    /// remaining actions of this one.
    func drive(_ pool: PoolDriver, _ event: PoolState.Event) {
        // After a broken invariant the pool and the world no longer agree, and the pool might trap.
        if failure != nil { return }
        note("  pool \(pool.index): \(event)")
        let outer = pool.event
        pool.event = event
        var actions: [PoolState.Action] = []
        swap(&actions, &pool.spareActions)
        pool.state.handle(event, at: Instant(nanoseconds: now), into: &actions)
        for action in actions where failure == nil {
            note("  pool \(pool.index): → \(action)")
            perform(action, pool)
        }
        actions.removeAll(keepingCapacity: true)
        pool.spareActions = actions
        pool.event = outer
        if outer == nil { checkEvent(pool) }
    }

    /// Ends the loop's iteration: sends the waiting batches one at a time.
    func endIteration(of pool: PoolDriver) {
        var count = 0
        while pool.state.hasWork, failure == nil {
            drive(pool, .iterationEnded)
            count += 1
            if count > Self.batchLimit { fail(.late, "pool \(pool.index) has work after \(count) batches") }
        }
    }

    private func perform(_ action: PoolState.Action, _ pool: PoolDriver) {
        switch action {
        case .answer(let requests): for request in requests { answered(Int(request.id), nil) }
        case .fail(let request, let error): answered(Int(request.id), error)
        case .undo(let id): undone(Int(id))
        case .lend(let connection, let lease):
            pool.link(connection)?.lentTo = Int(lease)
            // The waiting task resumes as a job of the loop.
            pool.inbox.append(.lent(connection, call: Int(lease)))
        case .refuse(let lease, let error): pool.inbox.append(.refused(call: Int(lease), error))
        case .open(let connection): open(connection, pool)
        case .send(let batch, let connection): send(batch, on: connection, pool)
        case .requestCancel(let connection): requestCancel(connection, pool)
        case .check(let connection, let error):
            if let link = pool.link(connection), link.isReadable {
                drive(pool, .broke(connection, error, unsent: 0))
            }
        case .close(let connection): close(connection, pool)
        case .arm(.connection(let connection), let moment):
            pool.link(connection)?.timer.arm(at: moment.nanoseconds, lastLook: lastLook)
        case .arm(let timer, _):
            // A nested event may have changed this timer; the later decision holds.
            if let latest = pool.state.moment(of: timer) { arm(timer, latest.nanoseconds, pool) }
        case .disarm(let timer): if pool.state.moment(of: timer) == nil { cancel(timer, pool) }
        case .tellSiblings(let news):
            if case .retired = news { noteRetirement(pool) }
            for sibling in pools where sibling !== pool {
                see(.siblingTold)
                sibling.inbox.append(.sibling(news))
            }
        case .report(let report): take(report, pool)
        }
    }

    private func arm(_ timer: PoolState.Timer, _ moment: Moment, _ pool: PoolDriver) {
        switch timer {
        case .wait: pool.waitTimer.arm(at: moment, lastLook: lastLook)
        case .grow: pool.growTimer.arm(at: moment, lastLook: lastLook)
        case .retry: pool.retryTimer.arm(at: moment, lastLook: lastLook)
        case .idle: pool.idleTimer.arm(at: moment, lastLook: lastLook)
        case .shrink: pool.shrinkTimer.arm(at: moment, lastLook: lastLook)
        case .connection: fatalError("the timer of a connection belongs to its link")
        }
    }

    private func cancel(_ timer: PoolState.Timer, _ pool: PoolDriver) {
        switch timer {
        case .wait: pool.waitTimer.cancel()
        case .grow: pool.growTimer.cancel()
        case .retry: pool.retryTimer.cancel()
        case .idle: pool.idleTimer.cancel()
        case .shrink: pool.shrinkTimer.cancel()
        case .connection: fatalError("the timer of a connection belongs to its link")
        }
    }

    private func take(_ report: PoolState.Report, _ pool: PoolDriver) {
        switch report {
        case .down:
            see(.unavailable)
            if !pool.links.isEmpty { fail(.bounds, "pool \(pool.index) is down with \(pool.links.count) connections") }
        case .lost(let error):
            pool.hasLost = true
            if error == .deadlineExceeded { pool.metSilence = true }
        case .opened, .openFailed, .reconnected, .up, .load: break
        }
    }
}
