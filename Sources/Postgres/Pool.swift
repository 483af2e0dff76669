public import Platform
public import Reactor

/// The connections of one event loop, shared by everything that runs on it.
///
/// All statements asked for during one iteration of the loop leave together on one connection, with one Sync: one system call,
/// one transaction, one commit. No caller sees an answer before its Sync is confirmed. When one statement fails, all of its
/// batch run again one by one, so that it never fails its neighbours.
///
/// Any task may use it. `PoolState` decides, and `LoopPool` on the loop performs. Once opened it lives as long as its loop, which keeps
/// it also when it is closed: make one for the life of a loop.
public final class Pool: Sendable {
    public let loop: EventLoop
    let core: LoopBound<LoopPool>

    /// - Parameters:
    ///   - minimum: connections kept open; may be 0.
    ///   - maximum: connections never exceeded, at least 1. When all of them are given up while the server may still work
    ///     for them, one more is opened.
    ///   - waitLimit: longest wait for a connection.
    ///   - statementLimit: longest run of one statement; the deadline of the task that asks may shorten it.
    ///   - memory: what parameters and results are counted in.
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

    /// Opens the minimum of connections. Returns when the first attempt is decided, for better or worse; whatever is
    /// missing then is tried again in the background.
    public func open() async {
        await open(beside: [])
    }

    func open(beside siblings: [Pool]) async {
        await onLoop { await $0.open(beside: siblings) }
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
    func begin(
        _ statement: Statement, _ arguments: Arguments, rows: Int, on loop: EventLoop?, until expiry: Instant?,
        then: @escaping @Sendable (Result<Rows, DatabaseError>) -> Void
    ) {
        // A loop without connections of its own has another's pool, and comes to it by a task.
        guard loop === self.loop else {
            Task(executorPreference: loop) {
                then(await self.outcome(of: statement, arguments, rows: rows, until: expiry))
            }
            return
        }
        // A caller elsewhere that names this loop would race with it.
        self.loop.checkIsolated()
        core.value.submit(PendingStatement(statement, arguments, rows: rows, then), until: expiry)
    }

    func outcome(
        of statement: Statement, _ arguments: Arguments, rows: Int, until expiry: Instant?
    ) async -> Result<Rows, DatabaseError> {
        // It is answered exactly once, at the latest when its deadline passes.
        await unsafe withUnsafeContinuation { continuation in
            let core = core
            loop.execute {
                let pending = PendingStatement(statement, arguments, rows: rows) {
                    unsafe continuation.resume(returning: $0)
                }
                core.value.submit(pending, until: expiry)
            }
        }
    }

    /// Runs `body` with a connection of its own inside a transaction: committed when it returns, rolled back when it throws.
    public func transaction<Value>(_ body: (Transaction) async throws -> Value) async throws -> Value {
        let transaction = Transaction(pool: self, connection: try await lease())
        defer { giveBack(transaction.connection) }
        try await transaction.query(Transaction.begin)
        do {
            let value = try await body(transaction)
            let end = try await transaction.query(Transaction.commit)
            // COMMIT rolls back when a statement failed whose error `body` swallowed, and only its tag says so.
            let tag = end.commandTag
            guard tag == "COMMIT" else { throw DatabaseError.unexpectedResult("\(tag) at COMMIT") }
            return value
        } catch {
            // The first error is the one to tell; without a connection there is nothing to roll back.
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

    /// Runs a statement of a transaction on the connection that it was lent.
    func execute(
        _ statement: Statement, _ parameters: [Parameter], on connection: Int
    ) async throws(DatabaseError) -> Rows {
        let expiry = TaskDeadline.current?.expiry
        let arguments = Arguments(parameters, for: statement)
        // As in `outcome`.
        let outcome = await unsafe withUnsafeContinuation { continuation in
            let core = core
            loop.execute {
                let pending = PendingStatement(statement, arguments, rows: 1) {
                    unsafe continuation.resume(returning: $0)
                }
                core.value.submit(pending, on: connection, until: expiry)
            }
        }
        return try outcome.get()
    }

    /// The numbers at this moment.
    public func load() async -> PoolLoad {
        await onLoop { $0.load }
    }

    /// Waits for what is in flight, at most for so long, then closes every connection. New statements are refused.
    public func close(within limit: Duration) async {
        await onLoop { await $0.close(within: limit) }
    }

    /// Calls `body` on the loop: at once where the caller runs on it.
    func onLoop<Value: Sendable>(_ body: @escaping @Sendable (LoopPool) async -> Value) async -> Value {
        if loop.isCurrent { return await body(core.value) }
        let core = core
        return await Task(executorPreference: loop) { await body(core.value) }.value
    }
}
