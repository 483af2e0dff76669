import DequeModule
import Platform

// Statements and transactions without a connection.
extension PoolState {
    @inline(__always)
    mutating func submit(_ request: Request, hasMemory: Bool) {
        if let refusal = refusal() { return fail(request, refusal) }
        if !hasMemory { return fail(request, .outOfMemory) }
        var request = request
        request.deadline = min(request.deadline, now.advanced(byNanoseconds: statementSpan))
        if timers[.wait] != nil { hastenWait(to: waitEnd(of: request)) }
        queue.append(request)
    }

    mutating func want(_ lease: Lease) {
        if let refusal = refusal() { return emit(.refuse(lease.id, refusal)) }
        var lease = lease
        lease.deadline = min(lease.deadline, now.advanced(byNanoseconds: waitSpan))
        hastenWait(to: lease.deadline)
        leaseQueue.append(lease)
    }

    /// Why one more may not wait; nil if it may.
    @inline(__always)
    private mutating func refusal() -> DatabaseError? {
        switch availability {
        case .unknown, .up: return waitingCount < limits.queueLimit ? nil : .queueFull
        case .down(let reason):
            if !isWanted { callersCame() }
            return reason
        case .closing: return .closing
        }
    }

    mutating func fail(_ request: Request, _ error: DatabaseError) {
        if !request.isAnswered { emit(.fail(request, error)) }
    }

    /// Puts a statement that certainly had no effect back at the front of the queue, unless its repeats are used up or
    /// the pool is closing.
    mutating func `repeat`(_ request: Request, orFail error: DatabaseError) {
        guard !request.isOfTransaction, Int(request.repeats) < limits.repeatLimit, availability != .closing else {
            return fail(request, error)
        }
        var request = request
        request.repeats += 1
        requeue(request)
    }

    /// Puts a statement that another one's failure rolled back at the front of the queue. Happens at most once per
    /// statement, because it then runs alone.
    mutating func repeatAlone(_ request: Request) {
        if request.isAnswered { return }
        var request = request
        request.isAlone = true
        requeue(request)
    }

    private mutating func requeue(_ request: Request) {
        var request = request
        request.hasRun = true
        hastenWait(to: request.deadline)
        emit(.undo(request.id))
        queue.insert(request, at: 0)
    }

    /// When a statement that is not in flight has waited too long.
    func waitEnd(of request: Request) -> Instant {
        // It has already waited for its first run.
        if request.hasRun { return request.deadline }
        return min(request.deadline, request.enqueued.advanced(byNanoseconds: waitSpan))
    }

    /// While the timer is armed, every statement queued with an earlier limit moves it.
    mutating func armWait() {
        guard timers[.wait] == nil else { return }
        var moment = queue.reduce(Instant.distantFuture) { min($0, waitEnd(of: $1)) }
        moment = leaseQueue.reduce(moment) { min($0, $1.deadline) }
        if moment < .distantFuture { arm(.wait, at: moment) }
    }

    private mutating func hastenWait(to moment: Instant) {
        if let armed = timers[.wait], moment < armed { arm(.wait, at: moment) }
    }

    mutating func expireWaiting() {
        let late = queue.filter { now >= waitEnd(of: $0) }
        if !late.isEmpty { queue = queue.filter { now < waitEnd(of: $0) } }
        for request in late { fail(request, now >= request.deadline ? .deadlineExceeded : .waitTimedOut) }
        let lateLeases = leaseQueue.filter { now >= $0.deadline }
        if !lateLeases.isEmpty { leaseQueue = Deque(leaseQueue.filter { now < $0.deadline }) }
        for lease in lateLeases { emit(.refuse(lease.id, .waitTimedOut)) }
    }

    mutating func failWaiting(_ error: DatabaseError) {
        let waiting = queue
        queue.removeAll()
        for request in waiting { fail(request, error) }
        while let lease = leaseQueue.popFirst() { emit(.refuse(lease.id, error)) }
        reportLoad()
    }

    mutating func reportLoad() {
        let load = load
        if load == reportedLoad { return }
        reportedLoad = load
        emit(.report(.load(load)))
    }
}
