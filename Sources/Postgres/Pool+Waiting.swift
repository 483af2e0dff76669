import DequeModule
import Reactor

// Statements and transactions that have no connection yet.
extension Pool {
    /// When a statement that is not sent has waited enough.
    func waitEnd(of pending: PendingStatement) -> UInt64 {
        // Whoever ran before and is to run again has waited for its turn already.
        pending.sent > 0 ? pending.deadline : min(pending.deadline, pending.enqueued + state.limits.waitLimit)
    }

    func armWaitDeadline() {
        // While it is armed, whoever is queued with less time than it has left moves it.
        guard waitDeadline.expiry == nil else { return }
        var moment = queue.reduce(UInt64.max) { min($0, waitEnd(of: $1)) }
        moment = leaseQueue.reduce(moment) { min($0, $1.deadline) }
        if moment < .max { loop.arm(waitDeadline, at: moment) }
    }

    func hastenWaitDeadline(to moment: UInt64) {
        if let armed = waitDeadline.expiry, moment < armed { loop.arm(waitDeadline, at: moment) }
    }

    func expireWaiting() {
        let now = loop.now
        let late = queue.filter { now >= waitEnd(of: $0) }
        if !late.isEmpty { queue.removeAll { now >= waitEnd(of: $0) } }
        for pending in late {
            fail(pending, now >= pending.deadline ? .deadlineExceeded : .waitTimedOut, now: now)
        }
        let lateLeases = leaseQueue.filter { now >= $0.deadline }
        if !lateLeases.isEmpty { leaseQueue.removeAll { now >= $0.deadline } }
        for lease in lateLeases { lease.resume(.failure(.waitTimedOut)) }
        reportLoad()
    }

    func failWaiting(_ error: DatabaseError) {
        let waiting = queue
        queue.removeAll()
        for pending in waiting { fail(pending, error, now: loop.now) }
        while let lease = leaseQueue.popFirst() { lease.resume(.failure(error)) }
        reportLoad()
    }

    func lease() async throws(DatabaseError) -> Int {
        if let refusal = refusal() { throw refusal }
        let now = loop.now
        let deadline = min(now + state.limits.waitLimit, TaskDeadline.current?.expiry ?? .max)
        hastenWaitDeadline(to: deadline)
        // `PendingLease` resumes it exactly once.
        let outcome = await unsafe withUnsafeContinuation { continuation in
            leaseQueue.append(unsafe PendingLease(enqueued: now, deadline: deadline, continuation))
            hasWork = true
        }
        return try outcome.get()
    }

    func release(_ identifier: Int) {
        hasWork = true
        guard let connection = connections[identifier] else { return }
        connection.isLeased = false
        // A cancellation may have met the ROLLBACK.
        if connection.isInTransaction { return lose(connection, .unexpectedResult("a transaction that did not end")) }
        becomeIdle(connection)
    }

    func serveLeases() {
        while let waiting = leaseQueue.first {
            if let identifier = state.lease() {
                leaseQueue.removeFirst()
                connections[identifier]?.isLeased = true
                waiting.resume(.success(identifier))
                continue
            }
            if case .connect(let identifier) = state.next(oldest: waiting.enqueued, now: loop.now) {
                begin(identifier)
            } else {
                loop.arm(growDeadline, at: loop.now + state.limits.growAfter)
            }
            armWaitDeadline()
            return
        }
    }

    /// Why nobody else may wait; nil when they may.
    func refusal() -> DatabaseError? {
        guard let refusal = state.refusal(waiting: waitingCount) else { return nil }
        return refusal == .unavailable ? absence : refusal
    }

    /// Statements and transactions that have no connection yet.
    var waitingCount: Int { queue.count + leaseQueue.count }

    var currentLoad: PoolLoad {
        var load = PoolLoad()
        load.idle = state.idleCount
        load.inUse = state.inUseCount
        load.waiting = waitingCount
        return load
    }

    func reportLoad() {
        let load = currentLoad
        if load == reported { return }
        reported = load
        observe(.load(load))
    }
}
