public import Platform
public import Reactor

/// A database query as a value: a statement, its arguments, and the conversion of its rows. It does nothing until it is
/// run, and can be run any number of times.
public struct Query<Value: Sendable>: Sendable {
    @usableFromInline package let pool: Pool
    @usableFromInline let statement: Statement
    @usableFromInline let arguments: Arguments
    @usableFromInline let rows: Int
    /// Converts the rows.
    public let decode: @Sendable (Rows) throws -> Value

    @usableFromInline
    init(
        _ pool: Pool, _ statement: Statement, _ arguments: Arguments, rows: Int,
        _ decode: @escaping @Sendable (Rows) throws -> Value
    ) {
        self.pool = pool
        self.statement = statement
        self.arguments = arguments
        self.rows = rows
        self.decode = decode
    }

    /// The same query with its value converted by `transform`.
    public func map<New>(_ transform: @escaping @Sendable (Value) throws -> New) -> Query<New> {
        let decode = decode
        return Query<New>(pool, statement, arguments, rows: rows) { try transform(decode($0)) }
    }

    /// Runs the query and waits for its value, after its transaction is committed.
    ///
    /// - Throws: `DatabaseError`, and the errors of `decode`. After `.connectionLost`, `.deadlineExceeded` and
    ///   `.unconfirmed` a write may have been committed.
    public var value: Value {
        get async throws {
            try decode(
                try await pool.outcome(of: statement, arguments, rows: rows, until: TaskDeadline.current?.expiry).get())
        }
    }

    /// Runs the query without a task. Queries run on one loop during one iteration are sent together.
    ///
    /// - Parameters:
    ///   - loop: the loop of the caller, if it runs on one.
    ///   - deadline: on the monotonic clock; the query fails when it passes. Nil for none.
    ///   - completion: called exactly once, on `loop` if there is one, with the argument of `decode`; before this
    ///     function returns if the statement is refused at once.
    @inlinable
    public func begin(
        on loop: EventLoop?, until deadline: Instant?,
        _ completion: @escaping @Sendable (Result<Rows, DatabaseError>) -> Void
    ) {
        pool.begin(statement, arguments, rows: rows, on: loop, until: deadline, then: completion)
    }

    /// As above, without an object of its own for the query. Call on the pool's loop.
    ///
    /// - Parameter caller: receives the argument of `decode`.
    @inlinable @inline(__always)
    package func begin(until deadline: Instant?, for caller: any StatementCaller) {
        pool.begin(statement, arguments, rows: rows, until: deadline, for: caller)
    }
}

extension Pool {
    /// A statement and the conversion of its rows.
    ///
    /// - Parameters:
    ///   - rows: maximum number of rows it may return; bounds what is sent together with it.
    ///   - decode: runs where the value is used; must not block.
    @inlinable
    public nonisolated func query<Value>(
        _ statement: Statement, _ parameters: [Parameter] = [], rows: Int = 1,
        _ decode: @escaping @Sendable (Rows) throws -> Value
    ) -> Query<Value> {
        Query(self, statement, Arguments(parameters, for: statement), rows: rows, decode)
    }

    /// The row with a key, or nil.
    ///
    /// - Parameter lookup: a statement made with `lookingUp`.
    @inlinable
    public nonisolated func query<Value>(
        _ lookup: Statement, key: Int64, _ decode: @escaping @Sendable (Rows) throws -> Value
    ) -> Query<Value> {
        Query(self, lookup, .key(key, of: lookup), rows: 1, decode)
    }

    /// The first row of a statement, converted by `decode`; nil if there is none.
    public nonisolated func first<Value>(
        _ statement: Statement, _ parameters: [Parameter] = [], _ decode: @escaping @Sendable (Row) throws -> Value
    ) -> Query<Value?> {
        query(statement, parameters) { try $0.first.map(decode) }
    }

    /// The single row of a statement that always returns one, such as an insert.
    ///
    /// The query throws `DatabaseError.unexpectedResult` if there is none.
    public nonisolated func one<Value>(
        _ statement: Statement, _ parameters: [Parameter] = [], _ decode: @escaping @Sendable (Row) throws -> Value
    ) -> Query<Value> {
        query(statement, parameters) { rows in
            guard let row = rows.first else {
                throw DatabaseError.unexpectedResult("\(statement.name) returned no row")
            }
            return try decode(row)
        }
    }

    /// All rows of a statement.
    ///
    /// - Parameter most: maximum number of rows it may return; bounds what is sent together with it. The SQL must
    ///   enforce it.
    public nonisolated func all<Value>(
        _ statement: Statement, _ parameters: [Parameter] = [], most: Int,
        _ decode: @escaping @Sendable (Row) throws -> Value
    ) -> Query<[Value]> {
        query(statement, parameters, rows: most) { try $0.map(decode) }
    }
}
