import Reactor

/// One statement between its caller's question and its answer, as its pool keeps it. What the decisions need of it is a
/// `PoolState.Request` of the same number.
final class PendingStatement {
    let statement: Statement
    let arguments: Arguments
    /// At most so many come back.
    let rows: Int
    let parameterByteCount: Int
    /// Of its parameters.
    var reservation: MemoryReservation?
    /// Its number among the pool's statements.
    var id: PoolState.Request.ID = 0
    /// What the server returned, kept until the Sync confirms it.
    var result: Rows?
    private(set) var isAnswered = false
    // Called exactly once, and then let go of with all it holds. As an optional it would be wrapped in another closure.
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

    /// Another statement that answers this one's caller in its place.
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

    /// Whether it may run as one with its neighbours.
    var mayBeGrouped: Bool { statement.many != nil && arguments.mayBeJoined }

    /// The key of a lookup.
    var key: Int64 {
        guard case .key(let key) = arguments else { fatalError("\(statement.name) is no lookup") }
        return key
    }
}

/// A caller that waits for a connection of its own.
final class PendingLease {
    private let caller: @Sendable (Result<Int, DatabaseError>) -> Void

    init(_ caller: @escaping @Sendable (Result<Int, DatabaseError>) -> Void) {
        self.caller = caller
    }

    /// Called once: the pool forgets it at the same time.
    func resume(_ outcome: Result<Int, DatabaseError>) { caller(outcome) }
}
