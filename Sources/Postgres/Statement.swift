import Synchronization

/// An SQL text with a name, created once and shared: `static let find = Statement("find_item", "SELECT … WHERE id =
/// $1::int8")`.
///
/// Values are sent only as parameters, in PostgreSQL's binary format, so the SQL casts each `$n` to its type. The
/// number of parameters is the highest `n`; running it with another number traps with the statement's name and both
/// numbers.
public final class Statement: Sendable {
    /// Decides which statements may share a transaction.
    public enum Kind: Sendable {
        /// Changes nothing: batched, and repeated when its connection is lost. The SQL must begin with SELECT, WITH,
        /// VALUES, TABLE or SHOW, after comments and opening parentheses, and must not contain the words INSERT,
        /// UPDATE, DELETE, MERGE and INTO, or FOR SHARE; otherwise the initializer traps. Quote a column with such a
        /// name, and use `.update` for a locking read. Side effects of functions that it calls are not detected.
        case read
        /// Inserts rows that no other statement depends on: batched, never repeated.
        case insert
        /// May wait for a lock of another transaction: has a transaction of its own, never repeated.
        case update
    }

    /// Name on the server and label in metrics: letters, digits and underscores.
    public let name: String
    public let sql: String
    public let kind: Kind
    /// Number of the statement in the process, counted from 0 in order of creation.
    public let ordinal: Int
    /// Number of parameters: the highest `n` of its `$n`.
    let parameterCount: Int
    /// Maximum memory of its result, reserved before it is sent. For merged statements, the share of one of them.
    public let resultByteLimit: Int
    /// The first of them that is needed runs afterwards; none for results of at most `enoughByteCount` bytes.
    let fallbacks: [Fallback]
    let enoughByteCount: Int
    /// The statement as which several adjacent ones run merged. Its parameters are arrays of theirs.
    public let many: Statement?

    /// Whether it looks up one row by its key.
    var isLookup: Bool { kind == .read && many != nil }

    /// Another read, which answers the caller when the rows of the first are not enough. Not supported within a
    /// transaction.
    public struct Fallback: Sendable {
        let statement: Statement
        let byteCount: Int
        let limit: Duration?
        /// Nil: those of the first statement.
        let parameters: (@Sendable (Rows) throws(DatabaseError) -> [Parameter])?
        let isNeeded: @Sendable (Rows) -> Bool

        /// - Parameters:
        ///   - byteCount: for results up to this size `isNeeded` is not called.
        ///   - limit: when the fallback has no answer after this time, the rows of the first statement are the answer.
        ///     It is cancelled at the server then.
        ///   - parameters: of the fallback, from the rows of the first statement; by default those of the first
        ///     statement.
        public init(
            _ statement: Statement, above byteCount: Int = 0, within limit: Duration? = nil,
            with parameters: (@Sendable (Rows) throws(DatabaseError) -> [Parameter])? = nil,
            where isNeeded: @escaping @Sendable (Rows) -> Bool
        ) {
            precondition(statement.kind == .read, "\(statement.name) is not a .read statement")
            self.statement = statement
            self.byteCount = byteCount
            self.limit = limit
            self.parameters = parameters
            self.isNeeded = isNeeded
        }
    }

    private static let count = Atomic<Int>(0)

    /// Default for a result of a few numbers and short texts.
    private static let standardResultByteLimit = 4096

    public convenience init(
        _ name: String, _ sql: String, kind: Kind = .read, result resultByteLimit: Int? = nil,
        or fallbacks: Fallback...
    ) {
        self.init(name, sql, kind, many: nil, result: resultByteLimit, fallbacks)
    }

    /// A lookup: returns the row with a key, or none. Adjacent lookups of one loop iteration are merged into one.
    ///
    /// - Parameters:
    ///   - sql: with `$1` as an int8, the only parameter.
    ///   - many: the same with `$1` as an int8[] of 2 to `Connection.groupLimit` keys, possibly with duplicates; the
    ///     first column of its result is the key, as an int8.
    ///     first column is the key, as an int8.
    public convenience init(
        _ name: String, _ sql: String, lookingUp many: Statement, result resultByteLimit: Int? = nil,
        or fallbacks: Fallback...
    ) {
        precondition(many.kind == .read && many.many == nil, "\(many.name) must be a plain .read statement")
        precondition(many.parameterCount == 1, "\(many.name) must take one parameter, an array of keys")
        self.init(name, sql, .read, many: many, result: resultByteLimit, fallbacks)
    }

    /// An insert that returns its one row. Adjacent inserts of one loop iteration are merged into one.
    ///
    /// - Parameters:
    ///   - sql: merged only if all arguments are `.text` or `.null`; otherwise it runs alone.
    ///   - many: the same with each parameter as a text[] of 2 to `Connection.groupLimit` elements. Inserts and returns
    ///     one row per element, in order, or fails and inserts none: each insert then runs as `sql`.
    public convenience init(_ name: String, _ sql: String, inserting many: Statement) {
        precondition(many.kind == .insert && many.many == nil, "\(many.name) must be a plain .insert statement")
        self.init(name, sql, .insert, many: many, result: nil, [])
    }

    private init(
        _ name: String, _ sql: String, _ kind: Kind, many: Statement?, result: Int?, _ fallbacks: [Fallback]
    ) {
        let text = StatementText(sql)
        if kind == .read, let word = text.wordOfWrite {
            let right =
                word == "INSERT" ? "`kind: .insert`, or `.update` where it may wait for a lock" : "`kind: .update`"
            fatalError("\(name) is a .read and has \(word): give it \(right)")
        }
        parameterCount = text.parameterCount
        for other in [many] + fallbacks.map({ $0.parameters == nil ? $0.statement : nil }) {
            guard let other, other.parameterCount != text.parameterCount else { continue }
            fatalError("\(name) takes \(text.parameterCount) parameters, and \(other.name) \(other.parameterCount)")
        }
        self.fallbacks = fallbacks
        enoughByteCount = fallbacks.map(\.byteCount).min() ?? .max
        self.name = name
        self.sql = sql
        self.kind = kind
        self.many = many
        resultByteLimit = result ?? Self.standardResultByteLimit
        ordinal = Self.count.wrappingAdd(1, ordering: .relaxed).oldValue
    }
}
