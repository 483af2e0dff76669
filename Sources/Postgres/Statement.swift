import Synchronization

/// One SQL text with its name, made once and shared: `static let find = Statement("find_item", "SELECT … WHERE id = $1::int8")`.
///
/// Values travel only as parameters, in PostgreSQL's binary format, so the text casts each `$n` to the type it means.
/// Its parameters are `$1` to its highest `$n`, and it is always asked with so many: another number ends the process, with
/// the statement's name and both numbers.
public final class Statement: Sendable {
    /// What may share a transaction with its neighbours.
    public enum Kind: Sendable {
        /// Changes nothing: batched, and run again elsewhere when its connection is lost. Its SQL begins with SELECT, WITH,
        /// VALUES, TABLE or SHOW, behind comments and opening parentheses, and has none of the words INSERT, UPDATE, DELETE,
        /// MERGE and INTO, and no FOR SHARE: else the process ends where the statement is made. So a column with such a name
        /// is quoted, and a locking read is an `.update`. What a function changes that it calls is for its author to know.
        case read
        /// Inserts rows of its own: batched, never run twice.
        case insert
        /// May wait for another transaction's lock: a transaction of its own, never run twice.
        case update
    }

    /// Its name on the server and as a metric's label: letters, digits and underscores.
    public let name: String
    public let sql: String
    public let kind: Kind
    /// Distinguishes statements densely from 0, in the order they were made.
    public let ordinal: Int
    /// How many parameters it takes: the highest number of its `$n`.
    let parameterCount: Int
    /// What its result takes at most, by its own bounds: room for it is kept before it is sent. Of a statement that many run
    /// as, the part of one of them.
    public let resultByteLimit: Int
    /// What runs after it where its rows are not enough; never for results of up to so many bytes.
    let fallback: Fallback?
    let enoughByteCount: Int
    /// What many of it run as that stand beside each other in one turn: its parameters are arrays of theirs.
    public let many: Statement?

    /// Whether it looks up one row by its key.
    var isLookup: Bool { kind == .read && many != nil }

    /// Another read with the same parameters, whose outcome is the caller's when the rows of the first are not enough. Not for
    /// use within a transaction.
    public struct Fallback: Sendable {
        let statement: Statement
        let byteCount: Int
        let isNeeded: @Sendable (Rows) -> Bool

        /// - Parameters:
        ///   - byteCount: of smaller results `isNeeded` is not asked.
        public init(
            _ statement: Statement, above byteCount: Int = 0, where isNeeded: @escaping @Sendable (Rows) -> Bool
        ) {
            precondition(statement.kind == .read, "\(statement.name) is no read")
            self.statement = statement
            self.byteCount = byteCount
            self.isNeeded = isNeeded
        }
    }

    private static let count = Atomic<Int>(0)

    /// What a result takes that is not said to take more: a few numbers and short texts.
    private static let standardResultByteLimit = 4096

    public convenience init(
        _ name: String, _ sql: String, kind: Kind = .read, result resultByteLimit: Int? = nil,
        or fallback: Fallback? = nil
    ) {
        self.init(name, sql, kind, many: nil, result: resultByteLimit, fallback)
    }

    /// A lookup: reads the one row of a key, or none. Lookups of one turn that stand beside each other run as one.
    ///
    /// - Parameters:
    ///   - sql: with `$1` as an int8, the only parameter.
    ///   - many: the same with `$1` as an int8[] of 2 to `Connection.groupLimit` keys, of which some may be equal; its
    ///     first column is the key, as an int8.
    public convenience init(
        _ name: String, _ sql: String, lookingUp many: Statement, result resultByteLimit: Int? = nil,
        or fallback: Fallback? = nil
    ) {
        precondition(many.kind == .read && many.many == nil, "\(many.name) is no plain read")
        precondition(many.parameterCount == 1, "\(many.name) takes more than an array of keys, or less")
        self.init(name, sql, .read, many: many, result: resultByteLimit, fallback)
    }

    /// An insert of one row, which it returns. Inserts of one turn that stand beside each other run as one.
    ///
    /// - Parameters:
    ///   - sql: where all that it is asked with are `.text` or `.null` it may run as one with others; else it runs as it is.
    ///   - many: the same with each parameter as a text[] of 2 to `Connection.groupLimit` elements; it inserts and returns a
    ///     row for each place in them, in their order, or fails, which undoes all of them: each then runs as `sql`.
    public convenience init(_ name: String, _ sql: String, inserting many: Statement) {
        precondition(many.kind == .insert && many.many == nil, "\(many.name) is no plain insert")
        self.init(name, sql, .insert, many: many, result: nil, nil)
    }

    private init(
        _ name: String, _ sql: String, _ kind: Kind, many: Statement?, result: Int?, _ fallback: Fallback?
    ) {
        let text = StatementText(sql)
        if kind == .read, let word = text.wordOfWrite {
            let right =
                word == "INSERT" ? "`kind: .insert`, or `.update` where it may wait for a lock" : "`kind: .update`"
            fatalError("\(name) is a .read and has \(word): give it \(right)")
        }
        parameterCount = text.parameterCount
        for other in [many, fallback?.statement] {
            guard let other, other.parameterCount != text.parameterCount else { continue }
            fatalError("\(name) takes \(text.parameterCount) parameters, and \(other.name) \(other.parameterCount)")
        }
        self.fallback = fallback
        enoughByteCount = fallback?.byteCount ?? .max
        self.name = name
        self.sql = sql
        self.kind = kind
        self.many = many
        resultByteLimit = result ?? Self.standardResultByteLimit
        ordinal = Self.count.wrappingAdd(1, ordering: .relaxed).oldValue
    }
}
