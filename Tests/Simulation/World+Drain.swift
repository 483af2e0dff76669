import HTTP1
import Platform
import Postgres
import Vial

// The drain, with the steps of `Vial.Server`, and the end of the pools, with those of `Postgres.Database`.
extension World {
    /// The interval at which the server polls for the last connection to close (`Server.drainPoll`).
    private static let drainPoll = 10 * Moment.millisecond
    /// How long connections may take to close once they are cut (`Drain.Course`).
    private static let cutLimit = Moment.second
    /// How long the pools wait for statements in flight when they close (`Database.closeLimit`).
    private static let closeLimit = 2 * Moment.second

    /// Moves the drain to its next phase if that is due.
    func drains() {
        if now < pausedUntil { return queue.schedule(.drains, at: pausedUntil) }
        if phase == .ended || closingAcceptors > 0 { return }
        if phase == .serving {
            drainStart = now
            see(.drained)
            if clients[..<clientCount].contains(where: { $0.inFlight }) { see(.drainedWithRequests) }
        }
        while let next = course.next(at: now.instant, openCount: openConnections, skipsDelay: life.skipsDelay) {
            enter(next)
            // Each loop is notified before the next check, and each acceptor finishes first.
            if next == .closing { return }
            if next == .ended { return closePools() }
        }
        queue.schedule(.drains, at: max(course.limit.nanoseconds, now + Self.drainPoll))
    }

    private func enter(_ next: Drain.Phase) {
        note("drain: \(next)")
        phase = next
        for pool in pools { pool.inbox.append(next == .ended ? .closing : .drainChanged) }
        if next == .closing {
            closingStart = now
            closingAcceptors = pools.count
            for pool in pools { pool.inbox.append(.finishAccepting) }
        }
        guard next == .ended else { return }
        if openConnections > 0 { fail(.drain, "\(openConnections) connections are open after the drain") }
        // An acceptor may pause twice beyond the limit: for a place, and between two attempts.
        let pauses = 2 * Self.acceptPause + 4 * Self.drainPoll
        let limit = drainStart + life.drainDelay + life.drainTimeout + Self.cutLimit + pausedTime + pauses
        if now > limit { fail(.drain, "the drain took \(now - drainStart) ns") }
        poolsClosing = now
    }

    /// Counts a client connection that closed.
    func noteClosed() {
        openConnections -= 1
        if openConnections == 0, phase >= .closing, phase < .ended {
            queue.schedule(.drains, at: now + Self.drainPoll)
        }
    }

    /// Closes each pool once nothing is in flight on it, or the time limit has passed.
    func closePools() {
        var isBusy = false
        for pool in pools where !pool.isToldClosed {
            guard pool.state.inUseCount == 0 || now >= poolsClosing + Self.closeLimit else {
                isBusy = true
                continue
            }
            if pool.state.inUseCount > 0 { see(.closedWithWork) }
            pool.isToldClosed = true
            pool.inbox.append(.closed)
        }
        if isBusy { queue.schedule(.poolsClose, at: now + 2 * Self.drainPoll) }
    }
}
