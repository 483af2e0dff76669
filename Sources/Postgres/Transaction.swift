/// A transaction in progress, lent to the body of `Pool.transaction`; of no use afterwards.
public struct Transaction: Sendable {
    let pool: Pool
    let identifier: Int

    static let begin = Statement("begin", "BEGIN", kind: .update)
    static let commit = Statement("commit", "COMMIT", kind: .update)
    static let rollback = Statement("rollback", "ROLLBACK", kind: .update)

    /// Runs one statement inside the transaction and waits for its rows.
    @discardableResult
    public func query(_ statement: Statement, _ parameters: [Parameter] = []) async throws(DatabaseError) -> Rows {
        try await pool.execute(statement, parameters, on: identifier)
    }
}

/// A caller that waits for a connection of its own. Used on its pool's loop only.
@safe final class PendingLease {
    let enqueued: UInt64
    /// When a connection is of no use any more.
    let deadline: UInt64
    // Resumed exactly once: the queue forgets it at the same time.
    private let continuation: UnsafeContinuation<Result<Int, DatabaseError>, Never>

    init(enqueued: UInt64, deadline: UInt64, _ continuation: UnsafeContinuation<Result<Int, DatabaseError>, Never>) {
        self.enqueued = enqueued
        self.deadline = deadline
        unsafe self.continuation = unsafe continuation
    }

    func resume(_ outcome: Result<Int, DatabaseError>) {
        unsafe continuation.resume(returning: outcome)
    }
}
