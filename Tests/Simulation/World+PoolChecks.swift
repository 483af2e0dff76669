import Platform
import Postgres
import Vial

// The invariants of pools and their connections.
extension World {
    /// `PoolState.retirementPause`.
    private static let retirementPause = Moment.second
    /// `PoolState.Limits.growAfter`.
    private static let growAfter = 5 * Moment.millisecond

    /// Checks that a batch may be sent on a connection.
    func checkUse(_ requests: [PoolState.Request], of link: Link, _ pool: PoolDriver) {
        var hasWrite = false
        for request in requests {
            let record = statements[Int(request.id)]
            let isOfTransaction = calls[record.call].stage.isOfTransaction
            if isOfTransaction ? link.lentTo != record.call : link.lentTo != nil {
                fail(.bounds, "statement \(request.id) is sent on \(link.connection), lent to \(describe(link.lentTo))")
            }
            if record.pool != pool.index { fail(.bounds, "statement \(request.id) is another pool's") }
            if request.kind != .read {
                hasWrite = true
            } else if hasWrite {
                fail(.order, "a read is sent behind a write")
            }
            checkSending(Int(request.id), isOfTransaction: isOfTransaction)
        }
        if link.isCancelling { fail(.cancelRace, "sent on \(link.connection) while a cancel request is on its way") }
        if requests.count > life.batchLimit { fail(.bounds, "a batch of \(requests.count) statements") }
        guard link.lentTo == nil else { return }
        if link.isBusy { fail(.bounds, "a second batch on connection \(link.connection)") }
        if link.isInBlock { fail(.bounds, "a batch within another's transaction on connection \(link.connection)") }
        if link.isRetired { fail(.retired, "a batch on connection \(link.connection), which is retired") }
    }

    /// The pool retires all open connections.
    func noteRetirement(_ pool: PoolDriver) {
        see(.generationRetired)
        if let last = pool.lastRetirement, now < last + Self.retirementPause {
            fail(.bounds, "pool \(pool.index) retires its connections \(now - last) ns after it did so")
        }
        retire(pool)
    }

    /// Another pool retires its connections: this one does the same unless it did so less than `retirementPause` ago.
    func noteSiblingRetirement(_ pool: PoolDriver) {
        if let last = pool.lastRetirement, now < last + Self.retirementPause { return }
        retire(pool)
    }

    private func retire(_ pool: PoolDriver) {
        pool.lastRetirement = now
        for link in pool.links { link.isRetired = true }
    }

    /// Checks a pool after an event and all nested events.
    func checkEvent(_ pool: PoolDriver) {
        if pool.metSilence {
            pool.metSilence = false
            for case .idle in pool.state.uses.values {
                fail(.retired, "pool \(pool.index) keeps an idle connection of a server that fell silent")
            }
        }
        if pool.hasLost {
            pool.hasLost = false
            checkReplacement(pool)
        }
        if pool.metReadOnly {
            pool.metReadOnly = false
            if pool.lastRetirement.map({ now >= $0 + Self.retirementPause }) ?? true {
                fail(.retired, "pool \(pool.index) keeps its connections to a server that takes no writes")
            }
        }
    }

    private func checkReplacement(_ pool: PoolDriver) {
        guard pool.state.availability == .up, !pool.isClosed else { return }
        let uses = pool.state.uses.values
        let ending = uses.reduce(0) { if case .ending = $1 { $0 + 1 } else { $0 } }
        let isOpening = uses.contains { $0 == .connecting }
        if !isOpening, uses.count - ending < max(1, life.minimum), uses.count < life.maximum {
            fail(.bounds, "pool \(pool.index) has lost a connection, has \(uses.count - ending), and opens none")
        }
    }

    /// Checks a pool while the loops are idle.
    func check(_ pool: PoolDriver) {
        checkCounts(pool)
        let state = pool.state
        let waiting = state.load.waiting
        if waiting > 0, state.idleCount > 0, pool.lastShortage.map({ now > $0 + 10 * .millisecond }) ?? true {
            fail(.idleWhileWaiting, "pool \(pool.index): \(waiting) wait while \(state.idleCount) are idle")
        }
        if pool.isClosed, state.openCount > 0 || waiting > 0 {
            fail(.drain, "pool \(pool.index) is closed with \(state.openCount) open and \(waiting) waiting")
        }
        let isComing =
            pool.opening > 0 || !pool.links.isEmpty || pool.retryTimer.expiry < .max || pool.growTimer.expiry < .max
        if phase < .ended, !isComing, waiting > 0 || life.minimum > 0 {
            // While closed connections keep all places, the pool waits for their cancel requests.
            if !state.uses.values.contains(where: { if case .ending = $0 { true } else { false } }) {
                fail(.noTimer, "pool \(pool.index) has no connection, and does nothing about it")
            }
        }
        if waiting > 0 { checkGrowth(pool) }
        for link in pool.links { check(link, pool) }
    }

    /// A statement that waits for longer than `growAfter` opens a connection, unless the maximum is reached or the last attempt failed.
    private func checkGrowth(_ pool: PoolDriver) {
        let state = pool.state
        guard pool.opening == 0, state.idleCount == 0, !pool.hasFailedToOpen, state.availability == .up,
            state.uses.count < life.maximum
        else {
            return
        }
        let oldest = min(
            state.waiting.first?.enqueued ?? .distantFuture, state.waitingLeases.first?.enqueued ?? .distantFuture)
        if now > oldest.nanoseconds + Self.growAfter + Self.slack + pausedTime {
            fail(
                .bounds, "pool \(pool.index) has \(state.uses.count) of \(life.maximum) connections, and does not grow")
        }
    }

    private func check(_ link: Link, _ pool: PoolDriver) {
        guard link.isBusy else {
            link.hasAskedToCancel = false
            return
        }
        if link.timer.expiry == .max {
            fail(.noTimer, "pool \(pool.index): connection \(link.connection) is busy without a limit")
        }
        if link.hasAskedToCancel { return }
        for expected in link.expected[link.answered...] {
            guard case .statement(let statement) = expected, statements[statement].isAnswered else { continue }
            fail(.late, "statement \(statement) runs on, nobody waits for it, and the server was not told")
        }
    }

    private func checkCounts(_ pool: PoolDriver) {
        let state = pool.state
        let uses = state.uses.values
        let live = uses.reduce(0) { if case .ending = $1 { $0 } else { $0 + 1 } }
        if live > life.maximum { fail(.bounds, "pool \(pool.index) has \(live) connections of \(life.maximum)") }
        if state.openCount != pool.links.count {
            fail(.bounds, "pool \(pool.index) counts \(state.openCount) connections, and has \(pool.links.count)")
        }
        if live - state.openCount != pool.opening {
            fail(.bounds, "pool \(pool.index) counts \(live - state.openCount) being opened, and it is \(pool.opening)")
        }
        // The server also counts connections that are closed here while their cancel request is under way.
        let gone = pool.cancelling.reduce(0) { pool.link($1) == nil ? $0 + 1 : $0 }
        let all = live + gone
        guard all > life.maximum, !pool.isClosed else { return }
        see(.openedBeside)
        if all > life.maximum + 1 || live > 1 {
            fail(.bounds, "pool \(pool.index) has \(live) connections of \(life.maximum), and \(gone) that may run on")
        }
    }
}
