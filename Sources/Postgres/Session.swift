import CPostgres

/// A connection used by one blocking thread: what runs before a connection joins a pool, and one-off commands.
public final class Session {
    let handle: Handle

    /// Connects; blocks for at most the connect timeout per host.
    ///
    /// - Throws: `DatabaseError.connectFailed`.
    public init(_ options: ConnectionOptions) throws(DatabaseError) {
        let pairs = options.keywords
        handle = try unsafe Self.withCStrings(pairs.map(\.0), pairs.map(\.1)) { keywords, values in
            // Both arrays end with NULL; libpq copies every string. 0: `dbname` is a name, never a connection string.
            unsafe PQconnectdbParams(keywords, values, 0).map { unsafe Handle(owning: $0) }
        }
        guard unsafe PQstatus(handle.pointer) == CONNECTION_OK else { throw .connectFailed(handle.message) }
        unsafe cpostgres_ignore_notices(handle.pointer)
    }

    /// Runs one or more statements without parameters, as they stand; several form one transaction.
    ///
    /// - Returns: the last statement's rows, every value as text.
    @discardableResult
    public func execute(_ sql: String) throws(DatabaseError) -> [[String?]] {
        // libpq copies the text; NULL only when memory is out.
        guard let result = unsafe PQexec(handle.pointer, sql) else { throw .connectionLost }
        defer { unsafe PQclear(result) }
        switch unsafe PQresultStatus(result) {
        case PGRES_COMMAND_OK: return []
        case PGRES_TUPLES_OK:
            let columns = unsafe PQnfields(result)
            return unsafe (0..<PQntuples(result)).map { row in
                (0..<columns).map { column in
                    // Text that belongs to the result is copied before it is cleared.
                    unsafe PQgetisnull(result, row, column) == 1
                        ? nil : String(cString: PQgetvalue(result, row, column))
                }
            }
        default: throw unsafe Handle.error(in: result)
        }
    }

    /// Prepares a statement under its name.
    func prepare(_ statement: Statement) throws(DatabaseError) {
        // libpq copies both texts; the types of the parameters are for the server to find.
        guard let result = unsafe PQprepare(handle.pointer, statement.name, statement.sql, 0, nil) else {
            throw .connectionLost
        }
        defer { unsafe PQclear(result) }
        guard unsafe PQresultStatus(result) == PGRES_COMMAND_OK else { throw unsafe Handle.error(in: result) }
    }

    private static func withCStrings<Result>(
        _ first: [String], _ second: [String],
        _ body: (UnsafePointer<UnsafePointer<CChar>?>, UnsafePointer<UnsafePointer<CChar>?>) -> Result?
    ) throws(DatabaseError) -> Result {
        let strings = (first + second).map { Array($0.utf8CString) }
        let flat = strings.flatMap { $0 }
        var offsets: [Int] = []
        var offset = 0
        for string in strings {
            offsets.append(offset)
            offset += string.count
        }
        let value = unsafe flat.withUnsafeBufferPointer { bytes -> Result? in
            // Each pointer is inside `bytes`, which outlives the call, and each string carries its NUL.
            let pointers = unsafe offsets.map { unsafe bytes.baseAddress! + $0 }
            let keywords = unsafe pointers.prefix(first.count).map(Optional.some) + [nil]
            let values = unsafe pointers.dropFirst(first.count).map(Optional.some) + [nil]
            return unsafe body(keywords, values)
        }
        guard let value else { throw .connectFailed("out of memory") }
        return value
    }
}
