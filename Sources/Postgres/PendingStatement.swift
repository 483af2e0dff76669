import Reactor

/// One statement between its caller's question and its answer. Used on its pool's loop only.
final class PendingStatement {
    let statement: Statement
    let arguments: Arguments
    /// At most so many come back.
    let rows: Int
    let parameterByteCount: Int
    /// The statement's own, and whether it is a lookup: a batch that is put together would look them up for each.
    let resultByteLimit: Int
    let isLookup: Bool
    /// Of its parameters.
    var reservation: MemoryReservation?
    /// When the caller began to wait, and when its answer is of no use any more.
    let enqueued: UInt64
    let deadline: UInt64
    /// Runs in a transaction of its own: by its kind, or because the batch it was in failed.
    var isAlone: Bool
    /// Times it was sent on a connection that broke before answering.
    var losses = 0
    var sent: UInt64 = 0
    /// What the server said, kept until the Sync confirms it.
    var outcome: Result<Rows, DatabaseError>?
    private(set) var isAnswered = false
    // Called exactly once, and then let go of with all it holds. As an optional it would be wrapped in another closure.
    private var caller: @Sendable (Result<Rows, DatabaseError>) -> Void

    init(
        _ statement: Statement, _ arguments: Arguments, rows: Int, enqueued: UInt64, deadline: UInt64,
        _ caller: @escaping @Sendable (Result<Rows, DatabaseError>) -> Void
    ) {
        self.statement = statement
        self.arguments = arguments
        self.rows = rows
        parameterByteCount = arguments.byteCount
        resultByteLimit = statement.resultByteLimit
        isLookup = statement.isLookup
        self.enqueued = enqueued
        self.deadline = deadline
        isAlone = statement.kind == .update
        self.caller = caller
    }

    /// Another statement that answers this one's caller in its place, as late as this one might have.
    func followed(by statement: Statement, now: UInt64) -> PendingStatement {
        isAnswered = true
        let waiting = caller
        caller = { _ in }
        return PendingStatement(statement, arguments, rows: rows, enqueued: now, deadline: deadline, waiting)
    }

    /// Answers the caller; later answers are dropped, since a deadline may have been faster.
    func resume(_ outcome: Result<Rows, DatabaseError>) {
        if isAnswered { return }
        isAnswered = true
        let waiting = caller
        caller = { _ in }
        waiting(outcome)
    }

    var isWrite: Bool { statement.kind != .read }

    /// Whether a Sync stands between it and the one that is sent next on the same connection.
    func isApart(from next: PendingStatement) -> Bool {
        isAlone || next.isAlone || isWrite != next.isWrite
    }

    /// Whether it may run as one with its neighbours.
    var mayBeGrouped: Bool { statement.many != nil && !isAlone && arguments.mayBeJoined }

    /// The key of a lookup.
    var key: Int64 {
        guard case .key(let key) = arguments else { fatalError("\(statement.name) is no lookup") }
        return key
    }
}
