public import Postgres

/// Adapts a database that was in use before this service recorded its migrations in it. Both closures run in the
/// migrations' transaction; an error that they throw rolls it back.
public struct KeptSchema: Sendable {
    /// Reads the database, and returns the SQL to run, in order.
    public typealias Changes = @Sendable (Session) throws(DatabaseError) -> [String]

    let adoption: Changes
    let completion: Changes

    /// - Parameters:
    ///   - adoption: called before the first step when the record, `NAME_migrations (version int, name text, applied_at
    ///     timestamptz)`, was just created: the returned SQL records the steps that are applied already.
    ///   - completion: called after the steps, whenever one was pending: the returned SQL adapts existing tables to the
    ///     service.
    public init(
        adoption: @escaping Changes = { (_) throws(DatabaseError) in [] },
        completion: @escaping Changes = { (_) throws(DatabaseError) in [] }
    ) {
        self.adoption = adoption
        self.completion = completion
    }
}
