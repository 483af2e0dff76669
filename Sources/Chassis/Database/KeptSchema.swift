public import Postgres

/// Adapts a database that was in use before this service recorded its migrations in it. `adoption` and `completion` run in
/// the migrations' transaction; an error that they throw rolls it back.
public struct KeptSchema: Sendable {
    /// Reads the database, and returns the SQL to run, in order.
    public typealias Changes = @Sendable (Session) throws(DatabaseError) -> [String]

    let adoption: Changes
    let completion: Changes
    let later: Changes

    /// - Parameters:
    ///   - adoption: called before the first step when the record, `NAME_migrations (version int, name text, applied_at
    ///     timestamptz)`, was just created: the returned SQL records the steps that are applied already.
    ///   - completion: called after the steps, whenever one was pending: the returned SQL adapts existing tables to the
    ///     service.
    ///   - later: called once per process when all steps are applied: the returned SQL runs statement by statement, each
    ///     outside of a transaction, while the service serves. For what takes long on a large table, such as `CREATE
    ///     INDEX CONCURRENTLY`. The service must do without it: a failure is no error, and the next start tries again.
    public init(
        adoption: @escaping Changes = { (_) throws(DatabaseError) in [] },
        completion: @escaping Changes = { (_) throws(DatabaseError) in [] },
        later: @escaping Changes = { (_) throws(DatabaseError) in [] }
    ) {
        self.adoption = adoption
        self.completion = completion
        self.later = later
    }
}
