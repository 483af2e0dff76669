import Reactor

/// Receives the outcome of a statement.
@usableFromInline
package protocol StatementCaller: AnyObject {
    /// Called exactly once, on the pool's loop.
    func receive(_ outcome: Result<Rows, DatabaseError>)
}

/// A caller that is a function.
final class CallingFunction: StatementCaller {
    private let function: @Sendable (Result<Rows, DatabaseError>) -> Void

    init(_ function: @escaping @Sendable (Result<Rows, DatabaseError>) -> Void) {
        self.function = function
    }

    func receive(_ outcome: Result<Rows, DatabaseError>) { function(outcome) }
}

/// The caller of a fallback with a time limit: when it passes, the caller gets the rows of the first statement.
final class CallerWithRows: StatementCaller {
    private let rows: Rows
    private let caller: any StatementCaller

    init(_ rows: Rows, for caller: any StatementCaller) {
        self.rows = rows
        self.caller = caller
    }

    func receive(_ outcome: Result<Rows, DatabaseError>) {
        switch outcome {
        case .failure(.deadlineExceeded), .failure(.waitTimedOut): caller.receive(.success(rows))
        case .success, .failure: caller.receive(outcome)
        }
    }
}

/// A statement between its submission and its answer. Decisions use the `PoolState.Request` with the same id.
struct PendingStatement {
    /// Its id among the pool's statements.
    let id: PoolState.Request.ID
    let statement: Statement
    let arguments: Arguments
    let caller: any StatementCaller
    /// Memory reserved for its parameters.
    let reservation: MemoryReservation?
    /// The server's result, kept until the Sync confirms it.
    var result: Rows?

    init(
        _ id: PoolState.Request.ID, _ statement: Statement, _ arguments: Arguments, for caller: any StatementCaller,
        _ reservation: MemoryReservation?
    ) {
        self.id = id
        self.statement = statement
        self.arguments = arguments
        self.caller = caller
        self.reservation = reservation
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
