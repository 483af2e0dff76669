import Platform
import Reactor

/// A pool on its loop: tells `PoolState` what happens, and performs what that decides.
@safe final class LoopPool {
    /// Smaller parameters and results are not counted one by one.
    static let uncountedByteLimit = 1024
    /// Of the memory budget, what one batch may take, unless it is a single statement.
    static let batchShare = 16
    /// Between two looks whether nothing is in flight any more, at the end.
    private static let closePause = Duration.milliseconds(20)
    /// Before a cancel request that found too many others on their way is made again.
    static let cancelPause = Duration.milliseconds(5)

    let loop: EventLoop
    let connector: Connector
    let memory: MemoryBudget
    let observe: @Sendable (PoolEvent) -> Void
    var state: PoolState
    var connections: [Int: Connection] = [:]
    var statements = StatementTable()
    var leases: [PoolState.Lease.ID: PendingLease] = [:]
    private var lastLease: PoolState.Lease.ID = 0
    /// The pools of the process's other loops.
    var siblings: [Pool] = []
    var timers: [PoolState.Timer: Deadline] = [:]
    private var window = BatchWindow()
    /// Whether this iteration of the loop has asked the window.
    private var isWindowAsked = false
    /// How many statements were sent together the last time.
    var lastBatchCount = 0
    private lazy var windowClosed: (Int) -> Void = { [unowned self] in window.closed(events: $0) }
    /// Kept for their storage.
    var spareActions: [PoolState.Action] = []
    private var spareHeard: [PoolState.Heard] = []
    /// While the pool is being opened: the connection whose attempt its caller waits for.
    var opening: Opening = .done

    enum Opening {
        case starting
        case first(Int)
        case done
    }

    init(
        on loop: EventLoop, limits: PoolState.Limits, memory: MemoryBudget, connector: Connector,
        observe: @escaping @Sendable (PoolEvent) -> Void
    ) {
        self.loop = loop
        self.memory = memory
        self.connector = connector
        self.observe = observe
        state = PoolState(limits: limits)
    }

    var load: PoolLoad { state.load }

    var now: Instant { loop.now }

    // What happens.

    func open(beside siblings: [Pool]) async {
        self.siblings = siblings
        // The loop keeps the pool from here on.
        loop.atTurnEnd { [self] in endIteration() }
        opening = .starting
        handle(.started)
        let first = opening
        opening = .done
        if case .first(let id) = first { await connect(id) }
    }

    func submit(_ pending: PendingStatement, until expiry: Instant?) {
        let request = request(for: pending, until: expiry)
        let hasMemory = hold(pending)
        // As `handle`, which is not called for every statement: most often there is nothing to do before the end of the iteration.
        var actions: [PoolState.Action] = []
        state.handle(.submitted(request, hasMemory: hasMemory), at: now, into: &actions)
        if !actions.isEmpty { for action in actions { perform(action) } }
        if !isWindowAsked && !pending.isAnswered && pending.mayBeGrouped { askWindow() }
    }

    /// A statement of the transaction that has this connection.
    func submit(_ pending: PendingStatement, on connection: Int, until expiry: Instant?) {
        handle(.submittedOn(connection, request(for: pending, until: expiry)))
    }

    @inline(__always)
    private func request(for pending: PendingStatement, until expiry: Instant?) -> PoolState.Request {
        statements.insert(pending)
        let statement = pending.statement
        return PoolState.Request(
            id: pending.id, kind: statement.kind, isLookup: statement.isLookup, rows: pending.rows,
            parameterByteCount: pending.parameterByteCount, resultByteLimit: statement.resultByteLimit, enqueued: now,
            deadline: expiry ?? .distantFuture)
    }

    /// Counts a statement's parameters for as long as it lives; false when there is no memory for them.
    private func hold(_ pending: PendingStatement) -> Bool {
        if pending.parameterByteCount <= Self.uncountedByteLimit { return true }
        pending.reservation = MemoryReservation(pending.parameterByteCount, for: .parameter, of: memory)
        return pending.reservation != nil
    }

    private func askWindow() {
        isWindowAsked = true
        if window.opens(lastBatch: lastBatchCount, watched: loop.watchedCount) {
            loop.linger(for: BatchWindow.length, then: windowClosed)
        }
    }

    func lease(_ pending: PendingLease, until expiry: Instant?) {
        lastLease += 1
        leases[lastLease] = pending
        handle(.leaseWanted(.init(id: lastLease, enqueued: now, deadline: expiry ?? .distantFuture)))
    }

    func giveBack(_ id: Int) {
        handle(.leaseReturned(id, isInTransaction: connections[id]?.isInTransaction ?? false))
    }

    private func endIteration() {
        isWindowAsked = false
        // What is sent may fail at once, and then be sent on another connection.
        while state.hasWork { handle(.iterationEnded) }
    }

    /// A connection has something to read.
    func read(_ connection: Connection) {
        var heard = spareHeard
        spareHeard = []
        connection.receive(into: &heard)
        if !connection.isBusy { connection.releaseMemory() }
        handle(.heard(connection.id, heard, isBusy: connection.isBusy, hasGrown: connection.hasGrown))
        heard.removeAll(keepingCapacity: true)
        spareHeard = heard
    }

    /// A connection takes more of what was sent.
    func push(_ connection: Connection) {
        if !connection.flush() { handle(.broke(connection.id, .connectionLost, unsent: 0)) }
    }

    func expired(_ connection: Connection) {
        handle(.timer(.connection(connection.id)))
    }

    func close(within limit: Duration) async {
        let end = Instant.now + limit
        handle(.closing)
        while state.inUseCount > 0 && Instant.now < end {
            await loop.sleep(for: Self.closePause)
        }
        handle(.closed)
    }

    func heardOfSibling(_ news: PoolState.SiblingNews) {
        switch news {
        case .opened: handle(.siblingOpened)
        case .retired(let error): handle(.siblingRetired(error))
        }
    }
}
