/// The rows that a statement returned, in the server's binary format. They retain libpq's result.
public struct Rows: Sendable, RandomAccessCollection {
    private let execution: Execution
    private let start: Int
    /// Number of rows.
    public let count: Int

    /// All rows of an execution.
    init(_ execution: Execution) {
        self.execution = execution
        start = 0
        count = execution.count
    }

    /// The row at `index` of an execution; none if nil.
    init(_ execution: Execution, at index: Int?) {
        self.execution = execution
        start = index ?? 0
        count = index == nil ? 0 : 1
    }

    /// Row `index` of `0..<count`.
    @inline(__always)
    public subscript(index: Int) -> Row {
        precondition(index >= 0 && index < count, "row \(index) of \(count)")
        return Row(execution: execution, index: Int32(truncatingIfNeeded: start + index))
    }

    /// Memory used by the execution they belong to: at least the size of their values.
    public var byteCount: Int { execution.byteCount }

    public var startIndex: Int { 0 }
    public var endIndex: Int { count }

    /// The first row, or nil when there is none.
    public var first: Row? { count > 0 ? self[0] : nil }

    /// The server's command tag: `COMMIT`, `INSERT 0 1`.
    var commandTag: String { execution.commandTag }
}

/// One row. Columns are numbered from 0. A column that is missing, null or of another width throws
/// `DatabaseError.unexpectedResult`.
///
/// `try row[0] as UUID` reads a value of any column type (`ColumnValue`), `try row[3] as String?` one that may be null,
/// and `row.json(4, as: Details.self)` a jsonb. The methods below are faster: they check a field's width but not its
/// type.
public struct Row: Sendable {
    let execution: Execution
    let index: Int32

    /// Whether every text is UTF-8. A database with encoding SQL_ASCII stores and returns arbitrary bytes.
    public var isUTF8: Bool { execution.isUTF8 }

    /// An int8.
    public func int64(_ column: Int) throws(DatabaseError) -> Int64 {
        try execution.number(index, column, as: Int64.self)
    }

    /// A timestamptz as microseconds since 1970-01-01T00:00:00Z; nil if null. `infinity` and `-infinity` are greater
    /// and less than every other value.
    public func timestampMicroseconds(_ column: Int) throws(DatabaseError) -> Int64? {
        guard let value = try execution.optionalNumber(index, column, as: Int64.self) else { return nil }
        // PostgreSQL counts from 2000-01-01T00:00:00Z and uses the largest value for infinity.
        let (sum, overflow) = value.addingReportingOverflow(946_684_800_000_000)
        return overflow ? .max : sum
    }

    /// A bool.
    public func bool(_ column: Int) throws(DatabaseError) -> Bool {
        try execution.number(index, column, as: UInt8.self) != 0
    }

    /// Whether a field is null, whatever its type.
    public func isNull(_ column: Int) throws(DatabaseError) -> Bool {
        try execution.isNull(index, column)
    }

    /// A text; invalid UTF-8 is replaced with U+FFFD.
    public func text(_ column: Int) throws(DatabaseError) -> String {
        guard let text = try optionalText(column) else { throw .unexpectedResult("column \(column) is null") }
        return text
    }

    /// A text, nil if null.
    public func optionalText(_ column: Int) throws(DatabaseError) -> String? {
        try execution.withBytes(index, column) { (bytes) throws(DatabaseError) in
            // Copied by `String` before the call returns.
            unsafe bytes.withUnsafeBufferPointer { unsafe String(decoding: $0, as: UTF8.self) }
        }
    }

    /// Lends a field's bytes for the call; returns nil without calling if it is null.
    @inline(__always)
    public func withBytes<Value>(
        _ column: Int, _ body: (Span<UInt8>) throws(DatabaseError) -> Value
    ) throws(DatabaseError) -> Value? {
        try execution.withBytes(index, column, body)
    }

    /// As `withBytes` for one field, for two at once; nil if either is null.
    public func withBytes(
        _ first: Int, _ second: Int, _ body: (Span<UInt8>?, Span<UInt8>?) -> Void
    ) throws(DatabaseError) {
        try execution.withBytes(index, first, second, body)
    }
}
