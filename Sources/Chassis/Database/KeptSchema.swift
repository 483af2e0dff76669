public import Postgres

/// Adapts a database that was in use before this service recorded its migrations in it. `adoption` and `completion` run in
/// the migrations' transaction; an error that they throw rolls it back.
public struct KeptSchema: Sendable {
    /// Reads the database, and returns the SQL to run, in order.
    public typealias Changes = @Sendable (Session) throws(DatabaseError) -> [String]

    /// A statement of `later`.
    public struct LaterChange: Equatable, Sendable {
        let sql: String
        let cleanup: String?

        /// - Parameter cleanup: SQL that removes what is left when the statement fails, such as an index that is not
        ///   complete.
        public init(_ sql: String, cleanup: String? = nil) {
            self.sql = sql
            self.cleanup = cleanup
        }
    }

    let adoption: Changes
    let completion: Changes
    let later: @Sendable (Session) throws(DatabaseError) -> [LaterChange]

    /// - Parameters:
    ///   - adoption: called before the first step when the record, `NAME_migrations (version int, name text, applied_at
    ///     timestamptz)`, was just created: the returned SQL records the steps that are applied already.
    ///   - completion: called after the steps, whenever one was pending: the returned SQL adapts existing tables to the
    ///     service.
    ///   - later: called when all steps are applied: the returned statements run one by one, each outside of a
    ///     transaction, while the service serves. For what takes long on a large table, such as `CREATE INDEX
    ///     CONCURRENTLY`. The service must do without it: a failure is logged, and tried again for about an hour, then
    ///     at the next start. Called before each attempt, so it returns what is left to do.
    public init(
        adoption: @escaping Changes = { (_) throws(DatabaseError) in [] },
        completion: @escaping Changes = { (_) throws(DatabaseError) in [] },
        later: @escaping @Sendable (Session) throws(DatabaseError) -> [LaterChange] = { (_) throws(DatabaseError) in []
        }
    ) {
        self.adoption = adoption
        self.completion = completion
        self.later = later
    }
}
