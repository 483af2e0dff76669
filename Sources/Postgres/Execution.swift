import CPostgres
import Reactor

/// libpq's result of one execution, freed with the last reference.
@safe final class Execution: @unchecked Sendable {
    // libpq never changes a PGresult after returning it, so any thread may read it.
    private let result: OpaquePointer
    let count: Int
    private let columnCount: UInt
    /// Whether every text is UTF-8.
    let isUTF8: Bool
    /// Memory reserved for its bytes; set before the execution is shared.
    var reservation: MemoryReservation?

    /// Takes ownership of a result.
    init(owning result: OpaquePointer, isUTF8: Bool) {
        unsafe self.result = unsafe result
        self.isUTF8 = isUTF8
        count = Int(unsafe PQntuples(result))
        columnCount = UInt(unsafe PQnfields(result))
    }

    /// Memory that libpq uses for it.
    var byteCount: Int { Int(unsafe PQresultMemorySize(result)) }

    /// Total size of the values of the longest row.
    var longestRowByteCount: Int {
        var longest: Int32 = 0
        let columns = unsafe PQnfields(result)
        for row in 0..<Int32(truncatingIfNeeded: count) {
            longest = max(longest, (0..<columns).reduce(0) { $0 + (unsafe PQgetlength(result, row, $1)) })
        }
        return Int(longest)
    }

    deinit {
        unsafe PQclear(result)
    }

    /// The server's command tag: `COMMIT`, `INSERT 0 1`.
    var commandTag: String {
        // The text belongs to the result and is copied at once; libpq's signature lacks a `const`.
        unsafe PQcmdStatus(result).map { unsafe String(cString: $0) } ?? ""
    }

    /// A field's bytes, valid as long as the result; nil if it is null.
    ///
    /// - Throws: `DatabaseError.unexpectedResult` if there is no such column.
    @inline(__always)
    private func field(_ row: Int32, _ column: Int) throws(DatabaseError) -> UnsafeRawBufferPointer? {
        // For a column out of range libpq would call the connection's notice receiver, and the connection may be gone.
        // A negative column compares as larger than all others.
        guard UInt(bitPattern: column) < columnCount else { throw .unexpectedResult("no column \(column)") }
        let column = Int32(truncatingIfNeeded: column)
        guard let start = unsafe PQgetvalue(result, row, column) else {
            throw .unexpectedResult("no column \(column)")
        }
        let length = Int(unsafe PQgetlength(result, row, column))
        if length == 0, unsafe PQgetisnull(result, row, column) == 1 { return nil }
        return unsafe UnsafeRawBufferPointer(start: start, count: length)
    }

    /// - Throws: as `field`.
    func isNull(_ row: Int32, _ column: Int) throws(DatabaseError) -> Bool {
        unsafe try field(row, column) == nil
    }

    /// The type of a field's column.
    ///
    /// - Throws: as `field`.
    func type(_ row: Int32, _ column: Int) throws(DatabaseError) -> ColumnType {
        _ = unsafe try field(row, column)
        return ColumnType(oid: unsafe PQftype(result, Int32(truncatingIfNeeded: column)))
    }

    /// Lends a field's bytes for the call; returns nil without calling if it is null.
    @inline(__always)
    func withBytes<Value>(
        _ row: Int32, _ column: Int, _ body: (Span<UInt8>) throws(DatabaseError) -> Value
    ) throws(DatabaseError) -> Value? {
        // The span does not escape the call, during which the result is retained.
        guard let bytes = unsafe try field(row, column) else { return nil }
        return try body(unsafe Span(_unsafeBytes: bytes))
    }

    /// As `withBytes`, for two fields at once; nil if either is null.
    func withBytes(
        _ row: Int32, _ first: Int, _ second: Int, _ body: (Span<UInt8>?, Span<UInt8>?) -> Void
    ) throws(DatabaseError) {
        let first = unsafe try field(row, first)
        let second = unsafe try field(row, second)
        // As above.
        body(
            unsafe first == nil ? nil : unsafe Span(_unsafeBytes: first!),
            unsafe second == nil ? nil : unsafe Span(_unsafeBytes: second!))
    }

    /// An integer of the type's width, in network byte order.
    @inline(__always)
    func number<Number: FixedWidthInteger>(_ row: Int32, _ column: Int, as type: Number.Type) throws(DatabaseError)
        -> Number
    {
        guard let number = try optionalNumber(row, column, as: type) else {
            throw .unexpectedResult("column \(column) is null")
        }
        return number
    }

    /// As above, nil if the field is null.
    func optionalNumber<Number: FixedWidthInteger>(
        _ row: Int32, _ column: Int, as type: Number.Type
    ) throws(DatabaseError) -> Number? {
        guard let bytes = unsafe try field(row, column) else { return nil }
        guard bytes.count == MemoryLayout<Number>.size else {
            throw .unexpectedResult(
                "column \(column) has \(bytes.count) bytes, not \(MemoryLayout<Number>.size)")
        }
        return unsafe Number(bigEndian: bytes.loadUnaligned(as: Number.self))
    }
}
