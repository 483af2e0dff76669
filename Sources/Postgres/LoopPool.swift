import Platform
import Reactor

/// A pool on its loop: passes events to `PoolState` and performs the actions that it returns.
@safe final class LoopPool {
    /// Parameters and results smaller than this are not counted individually.
    static let uncountedByteLimit = 1024
    /// Divisor: the share of the memory budget that one batch may take, unless it is a single statement.
    static let batchShare = 16
    /// Interval between checks whether anything is still in flight, when closing.
    private static let closePause = Duration.milliseconds(20)
    /// Pause before repeating a cancel request that was refused because too many others were in progress.
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
    /// Kept to reuse its storage.
    var spareActions: [PoolState.Action] = []
    private var spareHeard: [PoolState.Heard] = []
    /// While the pool is being opened: the connection attempt that the caller of `open` waits for.
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

    // Events.

    func open(beside siblings: [Pool]) async {
        self.siblings = siblings
        // From here on the loop retains the pool.
        loop.atTurnEnd { [self] in endIteration() }
        opening = .starting
        handle(.started)
        let first = opening
        opening = .done
        if case .first(let id) = first { await connect(id) }
    }

    /// Submits a statement.
    ///
    /// - Parameters:
    ///   - rows: maximum number of rows it may return.
    ///   - reserved: memory that another statement has reserved for the same arguments.
    func submit(
        _ statement: Statement, _ arguments: Arguments, rows: Int, until expiry: Instant?,
        for caller: any StatementCaller, reservation reserved: MemoryReservation? = nil
    ) {
        let byteCount = arguments.byteCount
        // Counted until the statement is answered.
        let reservation =
            byteCount > Self.uncountedByteLimit
            ? reserved ?? MemoryReservation(byteCount, for: .parameter, of: memory) : nil
        let hasMemory = byteCount <= Self.uncountedByteLimit || reservation != nil
        let id = statements.insert(statement, arguments, for: caller, reservation)
        let request = request(id, for: statement, byteCount, rows: rows, until: expiry)
        // Unlike `handle`, avoids work for the usual case: nothing to do before the end of the iteration.
        var actions: [PoolState.Action] = []
        state.handle(.submitted(request, hasMemory: hasMemory), at: now, into: &actions)
        if !actions.isEmpty { for action in actions { perform(action) } }
    }

    /// Submits a statement of the transaction that holds this connection.
    func submit(
        _ statement: Statement, _ arguments: Arguments, on connection: Int, until expiry: Instant?,
        for caller: any StatementCaller
    ) {
        let id = statements.insert(statement, arguments, for: caller)
        let request = request(id, for: statement, arguments.byteCount, rows: 1, until: expiry)
        handle(.submittedOn(connection, request))
    }

    @inline(__always)
    private func request(
        _ id: PoolState.Request.ID, for statement: Statement, _ byteCount: Int, rows: Int, until expiry: Instant?
    ) -> PoolState.Request {
        PoolState.Request(
            id: id, kind: statement.kind, isLookup: statement.isLookup, rows: rows, parameterByteCount: byteCount,
            resultByteLimit: statement.resultByteLimit, enqueued: now, deadline: expiry ?? .distantFuture)
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
        // Sending may fail at once, and the statements then need another connection.
        while state.hasWork { handle(.iterationEnded) }
    }

    /// The connection's socket is readable.
    func read(_ connection: Connection) {
        var heard = spareHeard
        spareHeard = []
        connection.receive(into: &heard, &statements)
        if !connection.isBusy { connection.releaseMemory() }
        handle(.heard(connection.id, heard, isBusy: connection.isBusy, hasGrown: connection.hasGrown))
        heard.removeAll(keepingCapacity: true)
        spareHeard = heard
    }

    /// The connection's socket accepts more data.
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
