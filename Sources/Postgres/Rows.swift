/// The rows one statement returned, in the server's binary format; kept until the last reference goes.
public struct Rows: Sendable, RandomAccessCollection {
    private let execution: Execution
    private let start: Int
    /// How many there are.
    public let count: Int

    /// All rows of an execution.
    init(_ execution: Execution) {
        self.execution = execution
        start = 0
        count = execution.count
    }

    /// The row of an execution at `index`; none at nil.
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

    /// What the execution they belong to takes in memory: no less than their values.
    public var byteCount: Int { execution.byteCount }

    public var startIndex: Int { 0 }
    public var endIndex: Int { count }

    /// The first row, or nil when there is none.
    public var first: Row? { count > 0 ? self[0] : nil }

    /// The server's word on what it did: `COMMIT`, `INSERT 0 1`.
    var commandTag: String { execution.commandTag }
}

/// One row. Columns are numbered from 0; a column that is missing, null or of another width throws
/// `DatabaseError.unexpectedResult`.
///
/// `try row[0] as UUID` reads a value of any type that a column has (`ColumnValue`), `try row[3] as String?` one that may be
/// null, and `row.json(4, as: Details.self)` a jsonb. The methods below are for what is read a hundred thousand times a
/// second: they look at a field's width, and not at its type.
public struct Row: Sendable {
    let execution: Execution
    let index: Int32

    /// Whether the server promised that every text is UTF-8: one of encoding SQL_ASCII takes and gives any bytes.
    public var isUTF8: Bool { execution.isUTF8 }

    /// An int8.
    public func int64(_ column: Int) throws(DatabaseError) -> Int64 {
        try execution.number(index, column, as: Int64.self)
    }

    /// A timestamptz as microseconds since 1970-01-01T00:00:00Z, or nil for null. `infinity` and `-infinity` are beyond every
    /// other moment.
    public func timestampMicroseconds(_ column: Int) throws(DatabaseError) -> Int64? {
        guard let value = try execution.optionalNumber(index, column, as: Int64.self) else { return nil }
        // PostgreSQL counts from 2000-01-01T00:00:00Z, and takes the largest value for infinity.
        let (sum, overflow) = value.addingReportingOverflow(946_684_800_000_000)
        return overflow ? .max : sum
    }

    /// A bool.
    public func bool(_ column: Int) throws(DatabaseError) -> Bool {
        try execution.number(index, column, as: UInt8.self) != 0
    }

    /// Whether a field is null, of whatever type.
    public func isNull(_ column: Int) throws(DatabaseError) -> Bool {
        try execution.isNull(index, column)
    }

    /// A text; bytes that are not UTF-8 are repaired with U+FFFD.
    public func text(_ column: Int) throws(DatabaseError) -> String {
        guard let text = try optionalText(column) else { throw .unexpectedResult("column \(column) is null") }
        return text
    }

    /// A text or nil for null.
    public func optionalText(_ column: Int) throws(DatabaseError) -> String? {
        try execution.withBytes(index, column) { (bytes) throws(DatabaseError) in
            // Copied by `String` before the call returns.
            unsafe bytes.withUnsafeBufferPointer { unsafe String(decoding: $0, as: UTF8.self) }
        }
    }

    /// Lends the bytes of a field for the call; returns nil, without calling, when it is null.
    @inline(__always)
    public func withBytes<Value>(
        _ column: Int, _ body: (Span<UInt8>) throws(DatabaseError) -> Value
    ) throws(DatabaseError) -> Value? {
        try execution.withBytes(index, column, body)
    }

    /// As `withBytes` of one field, of two at once; nil where one is null.
    public func withBytes(
        _ first: Int, _ second: Int, _ body: (Span<UInt8>?, Span<UInt8>?) -> Void
    ) throws(DatabaseError) {
        try execution.withBytes(index, first, second, body)
    }
}
