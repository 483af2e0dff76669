import Platform
import Postgres

// The performer's part of a pool, as `Postgres.LoopPool`: hands events in, performs the actions in their order.
extension World {
    /// Hands an event in and performs what follows, unless that is being done already further out.
    func drive(_ pool: PoolDriver, _ event: PoolState.Event) {
        note("  pool \(pool.index): \(event)")
        if case .timer(let timer) = event {
            pool.closesIdle = timer == .idle
            pool.closesGrown = timer == .shrink
        } else {
            pool.closesIdle = false
            pool.closesGrown = false
        }
        pool.state.handle(event, at: Instant(nanoseconds: now), into: &pool.actions)
        if pool.isPerforming { return }
        pool.isPerforming = true
        while pool.performed < pool.actions.count, failure == nil {
            let action = pool.actions[pool.performed]
            pool.performed += 1
            note("  pool \(pool.index): → \(action)")
            perform(action, pool)
        }
        pool.actions.removeAll(keepingCapacity: true)
        pool.performed = 0
        pool.isPerforming = false
        checkEvent(pool)
    }

    private func perform(_ action: PoolState.Action, _ pool: PoolDriver) {
        switch action {
        case .answer(let requests): for request in requests { answered(Int(request.id), nil) }
        case .fail(let request, let error): answered(Int(request.id), error)
        case .undo(let id): checkUndone(Int(id))
        case .lend(let connection, let lease):
            pool.link(connection)?.lentTo = Int(lease)
            lent(connection, to: Int(lease))
        case .refuse(let lease, let error): refused(Int(lease), error)
        case .open(let connection): open(connection, pool)
        case .send(let batch, let connection): send(batch, on: connection, pool)
        case .requestCancel(let connection): requestCancel(connection, pool)
        case .check(let connection, let error):
            if let link = pool.link(connection), link.isReadable {
                drive(pool, .broke(connection, error, unsent: 0))
            }
        case .close(let connection): close(connection, pool)
        case .arm(let timer, let moment): arm(timer, moment.nanoseconds, pool)
        case .disarm(let timer): arm(timer, .max, pool)
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
        case .connection(let connection): pool.link(connection)?.timer.arm(at: moment, lastLook: lastLook)
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
