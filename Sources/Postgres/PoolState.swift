import DequeModule
package import Platform

/// The decisions of a pool. It has no clock, socket, memory budget or random number generator: an `Event` goes in with
/// the current time, and `Action`s come out in the order in which they are to be performed. `LoopPool` performs them; a
/// simulator can do so as well.
///
/// **Statements.** A submitted statement is refused at once if the queue is full, the database is away or the pool is
/// closing. Otherwise it waits in the queue until the end of the loop iteration. Then all queued statements are sent on
/// an idle connection as one batch. Statements that may share a transaction share a Sync, and none is answered before
/// its Sync is confirmed. The outcomes:
///
/// | event | outcome for the statement |
/// |---|---|
/// | Sync confirmed, nothing failed | answered |
/// | Sync confirmed, the statement was alone and failed | fails |
/// | Sync confirmed, one of several failed | had no effect: each runs again, alone |
/// | Sync confirmed, prepared statements were outdated | had no effect: runs again, on another connection |
/// | Sync confirmed, failed by a cancel request meant for another statement | had no effect: runs again |
/// | connection lost | a read runs again; a write fails, since it may have been committed |
/// | its deadline passes | fails at once, and a cancel request is sent; its neighbours run again |
///
/// A statement is repeated only if it certainly had no effect or is a read, and at most `Limits.repeatLimit` times.
///
/// **Connections.** `Use` lists the states of a connection and their transitions. Connections are opened when a
/// statement has waited for `growAfter`, one attempt at a time, between the minimum and the maximum; closed when idle
/// for too long; and replaced when lost. If one connection meets a condition that probably affects all (the server
/// became read-only, prepared statements are outdated), all are retired: idle connections are closed at once, the
/// others when they would become idle.
///
/// **Availability.** Statements wait until the first attempt has succeeded or failed. When attempts fail and no
/// connection is open, the database counts as away and statements are refused at once, until an attempt succeeds here
/// or in another pool.
///
/// **Time.** A deadline that has passed is acted on only at the end of the loop iteration that notices it, or after the
/// other events of that time. After a suspension of the process, answers and deadlines are due together, and the
/// answers are processed first.
package struct PoolState {
    /// Whether statements are accepted.
    package enum Availability: Equatable, Sendable {
        /// The first attempt is pending: statements wait. Becomes `up` or `down` when the attempt ends.
        case unknown
        /// A connection is open, or is being opened and expected to succeed: statements wait for it. Becomes `down`.
        case up
        /// No connection is open, and two attempts failed, or one that was not quick: statements are refused with this
        /// error. Becomes `up` when an attempt succeeds, here or in another pool.
        case down(DatabaseError)
        /// Nothing new is accepted or opened. Final.
        case closing
    }

    package let limits: Limits
    package internal(set) var availability = Availability.unknown
    var slots = Slots()
    /// Waiting statements in sending order. Usually all of them leave together.
    var queue: [Request] = []
    var leaseQueue = Deque<Lease>()

    /// Whether the end of this iteration must report `Event.iterationEnded`.
    package internal(set) var hasWork = false
    /// The wait timer fired. Handled at the end of the iteration, after answers were processed and callers served.
    var isWaitOver = false
    /// There was no memory for a batch: nothing is sent until another event comes.
    var lacksMemory = false
    var timers = Timers()

    /// Failed attempts since the last success.
    var failures = 0
    /// Statements were refused since the last attempt, so there are callers.
    var isWanted = false
    /// Position of the next attempt within its pause, 0…1, at random.
    var pauseJitter = 1.0
    /// Earliest time of the next attempt after a failed one, whatever the number of callers.
    var nextAttempt = Instant(nanoseconds: 0)
    var nextRetirement = Instant(nanoseconds: 0)
    /// Lost connections that are not replaced yet.
    var lostCount = 0
    /// Whether the database was last reported as up; nil before the first report.
    var reportedUp: Bool?
    var reportedLoad = PoolLoad()

    /// The time of the current event.
    var now = Instant(nanoseconds: 0)
    private var actions: [Action] = []
    /// `Limits.waitLimit` in nanoseconds, because it is read for every statement.
    let waitSpan: UInt64
    let statementSpan: UInt64

    package init(limits: Limits) {
        precondition(
            limits.minimum >= 0 && limits.maximum >= 1 && limits.minimum <= limits.maximum, "pool bounds \(limits)")
        self.limits = limits
        waitSpan = limits.waitLimit.nanoseconds
        statementSpan = (limits.statementLimit + Cancellation.grace).nanoseconds
    }

    /// The only entry point for changes of the state.
    ///
    /// - Parameter output: actions are appended, so that the caller can reuse its storage.
    @inline(__always)
    package mutating func handle(_ event: Event, at now: Instant, into output: inout [Action]) {
        self.now = now
        // Any event may allow something to be sent.
        hasWork = true
        swap(&actions, &output)
        if case .submitted(let request, let hasMemory) = event {
            // By far the most frequent event, and the one with the least work.
            submit(request, hasMemory: hasMemory)
        } else {
            decide(event)
        }
        swap(&actions, &output)
        assert(isConsistent, "\(self)")
    }

    /// As above, with the actions as the result.
    package mutating func handle(_ event: Event, at now: Instant) -> [Action] {
        var output: [Action] = []
        handle(event, at: now, into: &output)
        return output
    }

    @inline(never)
    private mutating func decide(_ event: Event) {
        switch event {
        case .submitted(let request, let hasMemory): submit(request, hasMemory: hasMemory)
        case .leaseWanted(let lease): want(lease)
        case .submittedOn(let id, let request): submit(request, on: id)
        case .leaseReturned(let id, let isInTransaction): giveBack(id, isInTransaction: isInTransaction)
        case .started: start()
        case .iterationEnded: endIteration()
        case .timer(let timer): fire(timer)
        case .opened(let id, let took, let isPooled): opened(id, took: took, isPooled: isPooled)
        case .openFailed(let id, let error, let took, let jitter): openFailed(id, error, took: took, jitter: jitter)
        case .heard(let id, let heard, let isBusy, let hasGrown):
            hear(heard, on: id, isBusy: isBusy, hasGrown: hasGrown)
        case .broke(let id, let error, let unsent): broke(id, error, unsent: unsent)
        case .noMemory(let id): takeBack(from: id)
        case .cancelEnded(let id, let isOverdue): cancelEnded(id, isOverdue: isOverdue)
        case .siblingOpened: expectReturn()
        case .siblingRetired(let error): retireGeneration(error)
        case .closing: availability = .closing
        case .closed: close()
        }
    }

    private mutating func fire(_ timer: Timer) {
        if case .connection(let id) = timer { return checkDeadline(of: id) }
        timers[timer] = nil
        switch timer {
        case .wait: isWaitOver = true
        case .retry: tryAgain()
        case .idle: closeIdle()
        case .shrink: closeGrown()
        case .grow, .connection: break
        }
    }

    mutating func emit(_ action: Action) {
        actions.append(action)
    }

    mutating func arm(_ timer: Timer, at moment: Instant) {
        timers[timer] = moment
        emit(.arm(timer, at: moment))
    }

    mutating func disarm(_ timer: Timer) {
        if timers[timer] == nil { return }
        timers[timer] = nil
        emit(.disarm(timer))
    }
}

// Read-only access.
extension PoolState {
    package var openCount: Int { slots.openCount }
    package var idleCount: Int { slots.idle.count }
    package var inUseCount: Int { openCount - idleCount }
    /// Statements and transactions without a connection.
    var waitingCount: Int { queue.count + leaseQueue.count }

    package var load: PoolLoad {
        var load = PoolLoad()
        load.idle = idleCount
        load.inUse = inUseCount
        load.waiting = waitingCount
        return load
    }

    package var uses: [Int: Use] { Dictionary(uniqueKeysWithValues: slots.all.map { ($0.id, $0.use) }) }

    package func inFlight(on connection: Int) -> [Request] {
        slots.index(of: connection).map { slots[$0].inFlight } ?? []
    }

    /// Waiting statements in sending order.
    package var waiting: [Request] { queue }
    package var waitingLeases: [Lease] { Array(leaseQueue) }

    /// Invariants after every event.
    private var isConsistent: Bool {
        var idleCount = 0
        for index in slots.all.indices {
            if slots[index].isIdle {
                idleCount += 1
                if !slots.idle.contains(slots[index].id) || slots[index].retirement != nil { return false }
            }
            // In-flight statements have been sent, and only statements of a transaction are held back.
            if !slots[index].isBusy && !slots[index].inFlight.isEmpty { return false }
            if slots[index].use != .leased && !slots[index].held.isEmpty { return false }
        }
        return idleCount == slots.idle.count && slots.liveCount <= limits.maximum
    }

    /// When a timer will fire; nil if it is not armed, and for connection timers.
    package func moment(of timer: Timer) -> Instant? { timers[timer] }

    /// Whether to repeat a cancel request that was refused because too many others were in progress.
    package func mayCancelAgain(_ connection: Int, at now: Instant) -> Bool {
        guard let index = slots.index(of: connection) else { return false }
        let isBusy = slots[index].isBusy || !slots[index].isOpen
        return slots[index].cancellation.mayAskAgain(isBusy: isBusy, now: now)
    }
}
