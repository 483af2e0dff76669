public import Platform
public import Reactor

/// A question to the database, as a value: a statement with its arguments, and what its rows become. It does nothing until it
/// is asked, and may be asked any number of times.
public struct Query<Value: Sendable>: Sendable {
    @usableFromInline let pool: Pool
    @usableFromInline let statement: Statement
    @usableFromInline let arguments: Arguments
    @usableFromInline let rows: Int
    /// What the rows become.
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

    /// The same question, whose value is what `transform` makes of this one's.
    public func map<New>(_ transform: @escaping @Sendable (Value) throws -> New) -> Query<New> {
        let decode = decode
        return Query<New>(pool, statement, arguments, rows: rows) { try transform(decode($0)) }
    }

    /// Asks, and waits for the value, after the transaction it belongs to is committed.
    ///
    /// - Throws: `DatabaseError`, and what decoding throws. After `.connectionLost`, `.deadlineExceeded` and `.unconfirmed` a
    ///   write may have happened.
    public var value: Value {
        get async throws {
            try decode(
                try await pool.outcome(of: statement, arguments, rows: rows, until: TaskDeadline.current?.expiry).get())
        }
    }

    /// Asks without a task. What is asked on one loop during one turn of it is sent together.
    ///
    /// - Parameters:
    ///   - loop: the loop that the caller runs on, if it runs on one.
    ///   - deadline: the moment on the monotonic clock after which nobody wants the value; nil: there is none.
    ///   - completion: called exactly once, on `loop` where there is one, with what `decode` takes; before this function
    ///     returns when the statement is refused at once.
    @inlinable
    public func begin(
        on loop: EventLoop?, until deadline: Instant?,
        _ completion: @escaping @Sendable (Result<Rows, DatabaseError>) -> Void
    ) {
        pool.begin(statement, arguments, rows: rows, on: loop, until: deadline, then: completion)
    }
}

extension Pool {
    /// One statement, and what its rows become.
    ///
    /// - Parameters:
    ///   - rows: how many it may return, which bounds what is sent together with it.
    ///   - decode: called where the value is wanted; must not block.
    @inlinable
    public nonisolated func query<Value>(
        _ statement: Statement, _ parameters: [Parameter] = [], rows: Int = 1,
        _ decode: @escaping @Sendable (Rows) throws -> Value
    ) -> Query<Value> {
        Query(self, statement, Arguments(parameters, for: statement), rows: rows, decode)
    }

    /// The row of a key, or nil.
    ///
    /// - Parameter lookup: a statement made with `lookingUp`.
    @inlinable
    public nonisolated func query<Value>(
        _ lookup: Statement, key: Int64, _ decode: @escaping @Sendable (Rows) throws -> Value
    ) -> Query<Value> {
        Query(self, lookup, .key(key, of: lookup), rows: 1, decode)
    }

    /// The first row of a statement as `decode` makes of it; nil when there is none.
    public nonisolated func first<Value>(
        _ statement: Statement, _ parameters: [Parameter] = [], _ decode: @escaping @Sendable (Row) throws -> Value
    ) -> Query<Value?> {
        query(statement, parameters) { try $0.first.map(decode) }
    }

    /// The one row of a statement that always returns one, such as an insert.
    ///
    /// The query throws `DatabaseError.unexpectedResult` when there is none.
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
    /// - Parameter most: how many it may return, which bounds what is sent together with it; its SQL has the limit.
    public nonisolated func all<Value>(
        _ statement: Statement, _ parameters: [Parameter] = [], most: Int,
        _ decode: @escaping @Sendable (Row) throws -> Value
    ) -> Query<[Value]> {
        query(statement, parameters, rows: most) { try $0.map(decode) }
    }
}
