import DequeModule
public import Reactor

/// The connections of one event loop, shared by everything that runs on it.
///
/// Statements asked for during one turn of the loop leave together on one connection, with one Sync: one system call,
/// one transaction, one commit. Nobody sees an answer before its Sync is confirmed. When one statement fails, all of its
/// batch run again one by one, so that it never fails its neighbours.
///
/// Once opened it lives as long as its loop, which keeps it also when it is closed: make one for the life of a loop.
public actor Pool {
    /// The server ends a statement at its limit; the pool waits this much longer before it gives the connection up.
    static let cancelGrace: UInt64 = 500_000_000

    /// How long a cancel request waits for its turn, also when its connection was given up meanwhile: what nobody waits for
    /// should not run on at the server.
    static let cancelPatience: UInt64 = 5_000_000_000
    /// Between two looks whether it has come.
    static let cancelPause: UInt64 = 5_000_000
    /// How often a statement that is certain to have done nothing runs again: what ends one connection often ends all of
    /// them, one after the other within milliseconds, and it may be on each, and on one that was opened meanwhile.
    nonisolated let lossLimit: Int

    public nonisolated let loop: EventLoop
    public nonisolated var unownedExecutor: UnownedSerialExecutor { unsafe loop.asUnownedSerialExecutor() }

    let connector: Connector
    let statementLimit: UInt64
    let memory: MemoryBudget
    let observe: @Sendable (PoolEvent) -> Void
    var state: PoolState
    var connections: [Int: Connection] = [:]
    var queue = Deque<PendingStatement>()
    var leaseQueue = Deque<PendingLease>()
    /// Whether the end of this turn has something to do here.
    var hasWork = false
    /// Statements sent together the last time: whether a turn that asks for one is worth a wait for more.
    var lastBatchCount = 0
    /// Connections that were lost and whose place is still empty.
    var lostCount = 0
    /// The pools of the process's other loops, which are told when the database is there again.
    var siblings: [Pool] = []
    var reported = PoolLoad()
    /// Whether the database was last reported to be there; nil: neither was, so far.
    var reportedUp: Bool?
    /// What those are told who are refused because no connection can be opened: that the database cannot be reached, or what
    /// it has against this build's statements.
    var absence = DatabaseError.unavailable
    /// Whether somebody has waited enough: for the end of the turn to see to, when the answers that are there were taken and
    /// whoever can be served was. A process that stood still finds both at once.
    var isWaitOver = false
    lazy var waitDeadline = makeDeadline { pool in
        pool.isWaitOver = true
        pool.hasWork = true
    }
    lazy var growDeadline = makeDeadline { $0.hasWork = true }
    lazy var retryDeadline = makeDeadline { $0.retry() }
    lazy var idleDeadline = makeDeadline { $0.retireIdle() }
    lazy var shrinkDeadline = makeDeadline { $0.retireGrown() }

    /// - Parameters:
    ///   - minimum: connections kept open; may be 0.
    ///   - maximum: connections never exceeded, at least 1. When all of them are given up while the server may still work
    ///     for them, one more is opened.
    ///   - waitMilliseconds: longest wait for a connection.
    ///   - statementMilliseconds: longest run of one statement; the deadline of the task that asks may shorten it.
    ///   - memory: what parameters and results are counted in.
    ///   - observe: called on the loop; must not block.
    public init(
        on loop: EventLoop, minimum: Int, maximum: Int, waitMilliseconds: Int, statementMilliseconds: Int,
        memory: MemoryBudget = .unlimited, connector: Connector, observe: @escaping @Sendable (PoolEvent) -> Void
    ) {
        self.loop = loop
        self.memory = memory
        self.connector = connector
        self.observe = observe
        statementLimit = UInt64(statementMilliseconds) * 1_000_000
        lossLimit = maximum + 1
        state = PoolState(
            limits: .init(minimum: minimum, maximum: maximum, waitLimit: UInt64(waitMilliseconds) * 1_000_000))
    }

    /// Opens the minimum of connections. Returns when the first attempt is decided, for better or worse; whatever is
    /// missing then is tried again in the background.
    public func open() async {
        await open(beside: [])
    }

    func open(beside siblings: [Pool]) async {
        self.siblings = siblings
        loop.atTurnEnd { [self] in onLoop(()) { pool, _ in pool.flush() } }
        loop.arm(idleDeadline, at: loop.now + state.limits.idleLimit)
        var missing = state.refill()
        guard !missing.isEmpty else { return }
        let first = missing.removeFirst()
        for identifier in missing { begin(identifier) }
        await connect(first)
    }

    /// Runs one statement.
    ///
    /// - Parameter rows: how many it may return, which bounds what is sent together with it.
    /// - Returns: its rows, after the transaction they belong to is committed.
    /// - Throws: `DatabaseError`. After `.connectionLost`, `.deadlineExceeded` and `.unconfirmed` a write may have happened.
    public func query(
        _ statement: Statement, _ parameters: [Parameter] = [], rows: Int = 1
    ) async throws(DatabaseError) -> Rows {
        let arguments = Arguments(parameters, for: statement)
        return try await outcome(of: statement, arguments, rows: rows, until: TaskDeadline.current?.expiry).get()
    }

    /// Runs one statement without a task.
    ///
    /// - Parameters:
    ///   - loop: the loop that runs the caller, if one does.
    ///   - expiry: as the deadline of a task.
    ///   - then: called exactly once, on `loop` where there is one; before this function returns when the statement is
    ///     refused at once.
    @usableFromInline
    nonisolated func begin(
        _ statement: Statement, _ arguments: Arguments, rows: Int, on loop: EventLoop?, until expiry: UInt64?,
        then: @escaping @Sendable (Result<Rows, DatabaseError>) -> Void
    ) {
        // A loop without connections of its own has another's pool, and comes to it by a task.
        guard loop === self.loop else {
            Task(executorPreference: loop) {
                then(await self.outcome(of: statement, arguments, rows: rows, until: expiry))
            }
            return
        }
        onLoop(pending(statement, arguments, rows: rows, until: expiry, then)) { $0.submit($1) }
    }

    func outcome(
        of statement: Statement, _ arguments: Arguments, rows: Int, until expiry: UInt64?
    ) async -> Result<Rows, DatabaseError> {
        // It is answered exactly once, at the latest when its deadline passes.
        await unsafe withUnsafeContinuation { continuation in
            submit(
                pending(statement, arguments, rows: rows, until: expiry) { unsafe continuation.resume(returning: $0) })
        }
    }

    private nonisolated func pending(
        _ statement: Statement, _ arguments: Arguments, rows: Int, until expiry: UInt64?,
        _ caller: @escaping @Sendable (Result<Rows, DatabaseError>) -> Void
    ) -> PendingStatement {
        let now = loop.now
        let deadline = min(now + statementLimit + Self.cancelGrace, expiry ?? .max)
        return PendingStatement(statement, arguments, rows: rows, enqueued: now, deadline: deadline, caller)
    }

    func submit(_ pending: PendingStatement) {
        if let refusal = refusal() { return fail(pending, refusal, now: pending.enqueued) }
        if !hold(pending) { return fail(pending, .outOfMemory, now: pending.enqueued) }
        hastenWaitDeadline(to: waitEnd(of: pending))
        queue.append(pending)
        hasWork = true
        if pending.mayBeGrouped { loop.gather(recent: lastBatchCount) }
    }

    /// Runs `body` with a connection of its own inside a transaction: committed when it returns, rolled back when it throws.
    public func transaction<Value>(_ body: (Transaction) async throws -> Value) async throws -> Value {
        let identifier = try await lease()
        defer { release(identifier) }
        let transaction = Transaction(pool: self, identifier: identifier)
        _ = try await execute(Transaction.begin, [], on: identifier)
        do {
            let value = try await body(transaction)
            let end = try await execute(Transaction.commit, [], on: identifier)
            // COMMIT rolls back when a statement failed whose error `body` swallowed, and only its tag says so.
            let tag = end.commandTag
            guard tag == "COMMIT" else { throw DatabaseError.unexpectedResult("\(tag) at COMMIT") }
            return value
        } catch {
            // The first error is the one to tell; without a connection there is nothing to roll back.
            _ = try? await execute(Transaction.rollback, [], on: identifier)
            throw error
        }
    }

    /// The numbers at this moment.
    public func load() -> PoolLoad { currentLoad }

    /// Waits for what is in flight, at most for `milliseconds`, then closes every connection. New statements are refused.
    public func close(withinMilliseconds milliseconds: Int) async {
        state.close()
        let limit = EventLoop.monotonicNanoseconds() + UInt64(milliseconds) * 1_000_000
        while state.inUseCount > 0 && EventLoop.monotonicNanoseconds() < limit {
            await loop.sleep(nanoseconds: 20_000_000)
        }
        for deadline in [waitDeadline, growDeadline, retryDeadline, idleDeadline, shrinkDeadline] {
            loop.cancel(deadline)
        }
        for connection in connections.values {
            _ = state.lost(connection.identifier)
            discard(connection, .closing)
        }
        failWaiting(.closing)
    }

    func execute(_ statement: Statement, _ parameters: [Parameter], on identifier: Int) async throws(DatabaseError)
        -> Rows
    {
        // A cancel request might stop this statement instead of the one before.
        while connections[identifier]?.cancellation.isOnItsWay == true {
            await loop.sleep(nanoseconds: Self.cancelPause)
        }
        guard let connection = connections[identifier] else { throw .connectionLost }
        let expiry = TaskDeadline.current?.expiry
        // As in `query`.
        let outcome = await unsafe withUnsafeContinuation { continuation in
            let pending = pending(statement, Arguments(parameters, for: statement), rows: 1, until: expiry) {
                unsafe continuation.resume(returning: $0)
            }
            // Inside a transaction nothing is shared, and nothing runs again on another connection.
            pending.isAlone = true
            pending.losses = lossLimit
            send([pending], on: connection)
        }
        return try outcome.get()
    }

    /// Calls `body` as a part of the actor, as `assumeIsolated` does, which takes 375 instructions to find out where it is
    /// called. A `body` that captures nothing takes no allocation either.
    nonisolated func onLoop<Input>(_ input: Input, _ body: @escaping (isolated Pool, Input) -> Void) {
        loop.checkIsolated()
        // An isolated function is called as any other; that this is the pool's thread was checked.
        unsafe unsafeBitCast(body, to: ((Pool, Input) -> Void).self)(self, input)
    }

    func makeDeadline(_ action: @escaping @Sendable (isolated Pool) -> Void) -> Deadline {
        loop.makeDeadline { [self] in onLoop(action) { $1($0) } }
    }
}
