public import Platform
public import Reactor

/// The connections of one event loop, shared by everything that runs on it.
///
/// All statements submitted during one loop iteration are sent together on one connection with one Sync: one system
/// call, one transaction, one commit. No caller gets an answer before its Sync is confirmed. If one statement fails,
/// all statements of its batch are repeated one by one, so that a statement never fails because of its neighbours.
///
/// May be used by any task. `PoolState` decides, and `LoopPool` performs on the loop. After `open` the loop retains the
/// pool for its whole life, even when it is closed: create one pool per loop.
public final class Pool: Sendable {
    public let loop: EventLoop
    let core: LoopBound<LoopPool>

    /// - Parameters:
    ///   - minimum: connections kept open; may be 0.
    ///   - maximum: upper bound of open connections, at least 1. One more is opened if all of them were given up
    ///     while the server may still run their statements.
    ///   - waitLimit: longest wait for a connection.
    ///   - statementLimit: longest run of one statement; the deadline of the calling task may shorten it.
    ///   - memory: budget in which parameters and results are counted.
    ///   - observe: called on the loop; must not block.
    public init(
        on loop: EventLoop, minimum: Int, maximum: Int, waitLimit: Duration, statementLimit: Duration,
        memory: MemoryBudget = .unlimited, connector: Connector, observe: @escaping @Sendable (PoolEvent) -> Void
    ) {
        self.loop = loop
        var limits = PoolState.Limits(
            minimum: minimum, maximum: maximum, waitLimit: waitLimit, statementLimit: statementLimit)
        limits.batchByteLimit = memory.limit / LoopPool.batchShare
        core = LoopBound(
            handing: LoopPool(on: loop, limits: limits, memory: memory, connector: connector, observe: observe),
            to: loop)
    }

    /// Opens the minimum of connections. Returns when the first attempt has succeeded or failed; missing connections
    /// are retried in the background.
    public func open() async {
        await open(beside: [])
    }

    func open(beside siblings: [Pool]) async {
        await onLoop { await $0.open(beside: siblings) }
    }

    /// Runs one statement.
    ///
    /// - Parameter rows: maximum number of rows it may return; bounds what is sent together with it.
    /// - Returns: its rows, after its transaction is committed.
    /// - Throws: `DatabaseError`. After `.connectionLost`, `.deadlineExceeded` and `.unconfirmed` a write may have
    ///   been committed.
    public func query(
        _ statement: Statement, _ parameters: [Parameter] = [], rows: Int = 1
    ) async throws(DatabaseError) -> Rows {
        let arguments = Arguments(parameters, for: statement)
        return try await outcome(of: statement, arguments, rows: rows, until: TaskDeadline.current?.expiry).get()
    }

    /// Runs one statement without a task.
    ///
    /// - Parameters:
    ///   - loop: the loop of the caller, if it runs on one.
    ///   - expiry: used like the deadline of a task.
    ///   - then: called exactly once, on `loop` if there is one; before this function returns if the statement is
    ///     refused at once.
    @usableFromInline
    func begin(
        _ statement: Statement, _ arguments: Arguments, rows: Int, on loop: EventLoop?, until expiry: Instant?,
        then: @escaping @Sendable (Result<Rows, DatabaseError>) -> Void
    ) {
        // A loop without connections of its own uses another loop's pool, through a task.
        guard loop === self.loop else {
            Task(executorPreference: loop) {
                then(await self.outcome(of: statement, arguments, rows: rows, until: expiry))
            }
            return
        }
        begin(statement, arguments, rows: rows, until: expiry, for: CallingFunction(then))
    }

    /// Runs one statement without a task. Call on the pool's loop.
    ///
    /// - Parameters:
    ///   - expiry: used like the deadline of a task.
    ///   - caller: receives the outcome; before this function returns if the statement is refused at once.
    @usableFromInline
    func begin(
        _ statement: Statement, _ arguments: Arguments, rows: Int, until expiry: Instant?,
        for caller: any StatementCaller
    ) {
        // A call on another thread would be a data race.
        loop.checkIsolated()
        core.value.submit(statement, arguments, rows: rows, until: expiry, for: caller)
    }

    func outcome(
        of statement: Statement, _ arguments: Arguments, rows: Int, until expiry: Instant?
    ) async -> Result<Rows, DatabaseError> {
        // `LoopPool` answers the caller exactly once, at the latest when the deadline passes.
        await unsafe withUnsafeContinuation { continuation in
            let core = core
            loop.execute {
                let caller = CallingFunction { unsafe continuation.resume(returning: $0) }
                core.value.submit(statement, arguments, rows: rows, until: expiry, for: caller)
            }
        }
    }

    /// Lends a connection to `body` inside a transaction: committed when `body` returns, rolled back when it throws.
    public func transaction<Value>(_ body: (Transaction) async throws -> Value) async throws -> Value {
        let transaction = Transaction(pool: self, connection: try await lease())
        defer { giveBack(transaction.connection) }
        try await transaction.query(Transaction.begin)
        do {
            let value = try await body(transaction)
            let end = try await transaction.query(Transaction.commit)
            // COMMIT rolls back if `body` swallowed the error of a failed statement; only the command tag shows it.
            let tag = end.commandTag
            guard tag == "COMMIT" else { throw DatabaseError.unexpectedResult("\(tag) at COMMIT") }
            return value
        } catch {
            // The first error is the one to throw; without a connection there is nothing to roll back.
            _ = try? await transaction.query(Transaction.rollback)
            throw error
        }
    }

    func lease() async throws(DatabaseError) -> Int {
        let expiry = TaskDeadline.current?.expiry
        // `LoopPool` resumes it exactly once.
        let outcome = await unsafe withUnsafeContinuation { continuation in
            let core = core
            loop.execute {
                core.value.lease(PendingLease { unsafe continuation.resume(returning: $0) }, until: expiry)
            }
        }
        return try outcome.get()
    }

    func giveBack(_ connection: Int) {
        let core = core
        loop.execute { core.value.giveBack(connection) }
    }

    /// Runs a statement of a transaction on its connection.
    func execute(
        _ statement: Statement, _ parameters: [Parameter], on connection: Int
    ) async throws(DatabaseError) -> Rows {
        let expiry = TaskDeadline.current?.expiry
        let arguments = Arguments(parameters, for: statement)
        // As in `outcome`.
        let outcome = await unsafe withUnsafeContinuation { continuation in
            let core = core
            loop.execute {
                let caller = CallingFunction { unsafe continuation.resume(returning: $0) }
                core.value.submit(statement, arguments, on: connection, until: expiry, for: caller)
            }
        }
        return try outcome.get()
    }

    /// The current counts.
    public func load() async -> PoolLoad {
        await onLoop { $0.load }
    }

    /// Waits for what is in flight, at most for `limit`, then closes every connection. New statements are refused.
    public func close(within limit: Duration) async {
        await onLoop { await $0.close(within: limit) }
    }

    /// Calls `body` on the loop; at once if the caller runs on it.
    func onLoop<Value: Sendable>(_ body: @escaping @Sendable (LoopPool) async -> Value) async -> Value {
        if loop.isCurrent { return await body(core.value) }
        let core = core
        return await Task(executorPreference: loop) { await body(core.value) }.value
    }
}
