import DequeModule
package import Platform

/// What a pool decides. There is no clock, socket, memory budget or random number in here: an `Event` goes in at a moment, and `Action`s
/// come out, in the order in which they are to be performed. `LoopPool` performs them; a simulation can do so as well.
///
/// **Statements.** A statement is submitted, and refused at once where the queue is full, the database is away or the pool closes. Else
/// it waits in the queue until the end of the loop's iteration. Then everything that waits is sent on an idle connection as one batch:
/// statements that may share a transaction share a Sync, and none is answered before its Sync is confirmed. What becomes of it then:
///
/// | the Sync, or the connection | the statement |
/// |---|---|
/// | confirmed, nothing failed | is answered |
/// | confirmed, and it was alone and failed | fails |
/// | confirmed, and one of several failed | did nothing: each runs again, alone |
/// | confirmed, failed because of outdated prepared statements | did nothing: runs again, on another connection |
/// | confirmed, failed by a cancel request that was meant for another | did nothing: runs again |
/// | the connection is lost | a read runs again, a write fails: it may have happened |
/// | its deadline passes | fails at once, and the server is asked to stop it; its neighbours run again |
///
/// Only what certainly did nothing, or only reads, runs again, and at most `Limits.repeatLimit` times.
///
/// **Connections.** `Use` says what each is doing and what it may become. They are opened when a statement has waited for `growAfter`,
/// one attempt at a time, between the minimum and the maximum; closed when idle for long; and replaced when lost. What one connection met
/// that all others may meet (the server became read-only, prepared statements are outdated) retires all of them: those that are idle
/// are closed at once, the others when they would become idle.
///
/// **Availability.** Before the first attempt is decided statements wait. Once attempts fail and no connection is open the database
/// counts as away, and statements are refused without waiting, until an attempt succeeds or another pool says that it has found it.
///
/// **Time.** A moment that passed is acted on only at the end of the iteration that learns of it, or after the events of that moment were
/// handled: a process that stood still finds answers and deadlines at once, and takes the answers first.
package struct PoolState {
    /// Whether statements are taken in.
    package enum Availability: Equatable, Sendable {
        /// The first attempt is not decided: statements wait. Becomes `up` or `down` when it is.
        case unknown
        /// A connection is open, or one is being opened that should succeed: statements wait for it. Becomes `down`.
        case up
        /// No connection is open, and two attempts failed, or one that took its time: statements are refused with this error. Becomes
        /// `up` when an attempt succeeds, or another pool's did.
        case down(DatabaseError)
        /// Nothing new is taken in or opened; this is for good.
        case closing
    }

    package let limits: Limits
    package internal(set) var availability = Availability.unknown
    var slots = Slots()
    /// Statements that wait, in the order in which they are sent. Most often all of them leave together.
    var queue: [Request] = []
    var leaseQueue = Deque<Lease>()

    /// Whether the end of this iteration has something to do here: then `Event.iterationEnded` has to come.
    package internal(set) var hasWork = false
    /// A caller has waited enough: for the end of the iteration to see to, when answers were taken and callers served.
    var isWaitOver = false
    /// There was no memory for a batch: nothing is sent before something else happens.
    var lacksMemory = false
    var timers = Timers()

    /// Attempts that failed since one succeeded.
    var failures = 0
    /// Statements were refused since the last attempt: there are callers.
    var isWanted = false
    /// After a failed attempt the next one waits until then, however many callers wait.
    var nextAttempt = Instant(nanoseconds: 0)
    var nextRetirement = Instant(nanoseconds: 0)
    /// Connections that were lost and whose place is still empty.
    var lostCount = 0
    /// Whether the database was last reported to be there; nil: neither was, so far.
    var reportedUp: Bool?
    var reportedLoad = PoolLoad()

    /// The moment of the event that is being handled.
    var now = Instant(nanoseconds: 0)
    private var actions: [Action] = []
    /// Of the limits, in nanoseconds, for what is looked at for every statement.
    let waitSpan: UInt64
    let statementSpan: UInt64

    package init(limits: Limits) {
        precondition(
            limits.minimum >= 0 && limits.maximum >= 1 && limits.minimum <= limits.maximum, "pool bounds \(limits)")
        self.limits = limits
        waitSpan = limits.waitLimit.nanoseconds
        statementSpan = (limits.statementLimit + Cancellation.grace).nanoseconds
    }

    /// The one door: whatever changes the state comes in here.
    ///
    /// - Parameter output: what is to be done is appended, so that its storage can be used again.
    @inline(__always)
    package mutating func handle(_ event: Event, at now: Instant, into output: inout [Action]) {
        self.now = now
        // What any event brings may let something be sent.
        hasWork = true
        swap(&actions, &output)
        if case .submitted(let request, let hasMemory) = event {
            // Of all by far the most frequent, and the least to do.
            submit(request, hasMemory: hasMemory)
        } else {
            decide(event)
        }
        swap(&actions, &output)
        assert(isConsistent, "\(self)")
    }

    /// As above, with what is to be done as a value.
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

// What may be looked at.
extension PoolState {
    package var openCount: Int { slots.openCount }
    package var idleCount: Int { slots.idle.count }
    package var inUseCount: Int { openCount - idleCount }
    /// Statements and transactions that have no connection yet.
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

    /// Statements that wait, in the order in which they are sent.
    package var waiting: [Request] { queue }
    package var waitingLeases: [Lease] { Array(leaseQueue) }

    /// What holds after every event.
    private var isConsistent: Bool {
        var idleCount = 0
        for index in slots.all.indices {
            if slots[index].isIdle {
                idleCount += 1
                if !slots.idle.contains(slots[index].id) || slots[index].retirement != nil { return false }
            }
            // Only what is sent may be in flight, and only a transaction's statements are held.
            if !slots[index].isBusy && !slots[index].inFlight.isEmpty { return false }
            if slots[index].use != .leased && !slots[index].held.isEmpty { return false }
        }
        return idleCount == slots.idle.count && slots.liveCount <= limits.maximum
    }

    /// The moment of a timer that has not fired; nil while it has none, and of those of connections.
    package func moment(of timer: Timer) -> Instant? { timers[timer] }

    /// Whether a cancel request that found too many others on their way is made again.
    package func mayCancelAgain(_ connection: Int, at now: Instant) -> Bool {
        guard let index = slots.index(of: connection) else { return false }
        let isBusy = slots[index].isBusy || !slots[index].isOpen
        return slots[index].cancellation.mayAskAgain(isBusy: isBusy, now: now)
    }
}
