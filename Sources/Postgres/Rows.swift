import CPostgres

/// The rows one statement returned, in the server's binary format; kept until the last reference goes.
@safe public final class Rows: @unchecked Sendable {
    // A PGresult is never changed after libpq returned it, so reading it from any thread is fine.
    private let result: OpaquePointer
    public let count: Int

    /// Takes over a result with tuples.
    init(owning result: OpaquePointer) {
        unsafe self.result = unsafe result
        count = Int(unsafe PQntuples(result))
    }

    deinit {
        unsafe PQclear(result)
    }

    /// Row `index` of `0..<count`.
    @inline(__always)
    public subscript(index: Int) -> Row {
        precondition(index >= 0 && index < count, "row \(index) of \(count)")
        return Row(rows: self, index: Int32(truncatingIfNeeded: index))
    }

    public var first: Row? { count > 0 ? self[0] : nil }

    /// The server's word on what it did: `COMMIT`, `INSERT 0 1`.
    var commandTag: String {
        // The text belongs to the result and is copied at once; libpq's signature lacks a `const`.
        unsafe PQcmdStatus(result).map { unsafe String(cString: $0) } ?? ""
    }

    /// Lends a field's bytes for the call; nil when it is null.
    ///
    /// - Throws: `DatabaseError.unexpectedResult` when there is no such column.
    @inline(__always)
    func withBytes<Value>(
        _ row: Int32, _ column: Int, _ body: (Span<UInt8>) throws(DatabaseError) -> Value
    ) throws(DatabaseError) -> Value? {
        let column = Int32(truncatingIfNeeded: column)
        // PQgetvalue returns NULL for a column out of range, else a pointer that lives as long as the result.
        guard let start = unsafe PQgetvalue(result, row, column) else {
            throw .unexpectedResult("no column \(column)")
        }
        let length = Int(unsafe PQgetlength(result, row, column))
        if length == 0, unsafe PQgetisnull(result, row, column) == 1 { return nil }
        let bytes = unsafe UnsafeRawBufferPointer(start: start, count: length)
        return try body(unsafe Span(_unsafeBytes: bytes))
    }
}

/// One row. Columns are numbered from 0; a column that is missing, null or of another width throws
/// `DatabaseError.unexpectedResult`.
public struct Row {
    let rows: Rows
    let index: Int32

    /// An int8.
    public func int64(_ column: Int) throws(DatabaseError) -> Int64 {
        try fixed(column, width: 8)
    }

    /// A timestamptz as microseconds since 1970-01-01T00:00:00Z.
    public func timestampMicroseconds(_ column: Int) throws(DatabaseError) -> Int64 {
        // PostgreSQL counts from 2000-01-01T00:00:00Z; infinity is the largest value and must not overflow.
        try int64(column).addingReportingOverflow(946_684_800_000_000).partialValue
    }

    public func bool(_ column: Int) throws(DatabaseError) -> Bool {
        try fixed(column, width: 1) != 0
    }

    /// A text; bytes that are not UTF-8 are repaired with U+FFFD.
    public func text(_ column: Int) throws(DatabaseError) -> String {
        guard let text = try optionalText(column) else { throw .unexpectedResult("column \(column) is null") }
        return text
    }

    /// A text or nil for null.
    public func optionalText(_ column: Int) throws(DatabaseError) -> String? {
        try rows.withBytes(index, column) { (bytes) throws(DatabaseError) in
            // Copied by `String` before the call returns.
            unsafe bytes.withUnsafeBufferPointer { unsafe String(decoding: $0, as: UTF8.self) }
        }
    }

    /// Lends the bytes of a field for the call; returns nil, without calling, when it is null.
    @inline(__always)
    public func withBytes<Value>(
        _ column: Int, _ body: (Span<UInt8>) throws(DatabaseError) -> Value
    ) throws(DatabaseError) -> Value? {
        try rows.withBytes(index, column, body)
    }

    @inline(__always)
    private func fixed(_ column: Int, width: Int) throws(DatabaseError) -> Int64 {
        let value = try rows.withBytes(index, column) { (bytes) throws(DatabaseError) -> Int64 in
            guard bytes.count == width else {
                throw .unexpectedResult("column \(column) has \(bytes.count) bytes, not \(width)")
            }
            var value: Int64 = 0
            for position in bytes.indices { value = value << 8 | Int64(bytes[position]) }
            return value
        }
        guard let value else { throw .unexpectedResult("column \(column) is null") }
        return value
    }
}
