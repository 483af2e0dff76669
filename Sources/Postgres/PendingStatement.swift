import Reactor

/// A statement between its submission and its answer. Decisions use the `PoolState.Request` with the same id.
final class PendingStatement {
    let statement: Statement
    let arguments: Arguments
    /// Maximum number of rows it may return.
    let rows: Int
    let parameterByteCount: Int
    /// Memory reserved for its parameters.
    var reservation: MemoryReservation?
    /// Its id among the pool's statements.
    var id: PoolState.Request.ID = 0
    /// The server's result, kept until the Sync confirms it.
    var result: Rows?
    private(set) var isAnswered = false
    // Called exactly once, then replaced to release what it captured. An optional would wrap it in another closure.
    private var caller: @Sendable (Result<Rows, DatabaseError>) -> Void

    init(
        _ statement: Statement, _ arguments: Arguments, rows: Int,
        _ caller: @escaping @Sendable (Result<Rows, DatabaseError>) -> Void
    ) {
        self.statement = statement
        self.arguments = arguments
        self.rows = rows
        parameterByteCount = arguments.byteCount
        self.caller = caller
    }

    /// A statement that answers the caller in place of this one.
    func followed(by statement: Statement) -> PendingStatement {
        PendingStatement(statement, arguments, rows: rows, takeCaller())
    }

    /// Answers the caller, once.
    func resume(_ outcome: Result<Rows, DatabaseError>) {
        takeCaller()(outcome)
    }

    private func takeCaller() -> @Sendable (Result<Rows, DatabaseError>) -> Void {
        precondition(!isAnswered, "\(statement.name) is answered twice")
        isAnswered = true
        let waiting = caller
        caller = { _ in }
        return waiting
    }

    /// Whether it may be merged with its neighbours.
    var mayBeGrouped: Bool { statement.many != nil && arguments.mayBeJoined }

    /// The key of a lookup.
    var key: Int64 {
        guard case .key(let key) = arguments else { fatalError("\(statement.name) is not a lookup") }
        return key
    }
}

/// A caller that waits to borrow a connection.
final class PendingLease {
    private let caller: @Sendable (Result<Int, DatabaseError>) -> Void

    init(_ caller: @escaping @Sendable (Result<Int, DatabaseError>) -> Void) {
        self.caller = caller
    }

    /// Call once: the pool drops it at the same time.
    func resume(_ outcome: Result<Int, DatabaseError>) { caller(outcome) }
}
