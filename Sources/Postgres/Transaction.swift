/// A transaction in progress, lent to the body of `Pool.transaction`; unusable afterwards.
public struct Transaction: Sendable {
    let pool: Pool
    /// The number of its connection.
    let connection: Int

    static let begin = Statement("begin", "BEGIN", kind: .update)
    static let commit = Statement("commit", "COMMIT", kind: .update)
    static let rollback = Statement("rollback", "ROLLBACK", kind: .update)

    /// Runs one statement inside the transaction and waits for its rows.
    @discardableResult
    public func query(_ statement: Statement, _ parameters: [Parameter] = []) async throws(DatabaseError) -> Rows {
        try await pool.execute(statement, parameters, on: connection)
    }
}
