public import Postgres

/// What a database needs that was in use before this service kept the record of its migrations in it. Both run in the
/// migrations' transaction, and what they throw undoes it.
public struct KeptSchema: Sendable {
    /// Looks at the database, and returns the SQL to run, in order.
    public typealias Changes = @Sendable (Session) throws(DatabaseError) -> [String]

    let adoption: Changes
    let completion: Changes

    /// - Parameters:
    ///   - adoption: asked before the first step when the record, `NAME_migrations (version int, name text, applied_at
    ///     timestamptz)`, was just made: what it returns enters steps that are applied already.
    ///   - completion: asked after the steps, whenever one was pending: what it returns brings tables that were there before to what the service needs.
    public init(
        adoption: @escaping Changes = { (_) throws(DatabaseError) in [] },
        completion: @escaping Changes = { (_) throws(DatabaseError) in [] }
    ) {
        self.adoption = adoption
        self.completion = completion
    }
}
