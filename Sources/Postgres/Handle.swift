import CPostgres

/// Owns an open libpq connection and finishes it. Used by one thread at a time: first the one that opens it, then its
/// loop.
@safe final class Handle: @unchecked Sendable {
    let pointer: OpaquePointer
    /// The server reported that it stopped waiting for a synchronous standby. Reset when a commit has been evaluated.
    var endedReplicationWait = false

    init(owning pointer: OpaquePointer) {
        unsafe self.pointer = unsafe pointer
        // libpq calls it only within its own calls, so only while this object lives. A result may outlive it, but calls
        // on results use the receiver only for a row or column that does not exist, which `Execution` rules out.
        _ = unsafe PQsetNoticeReceiver(
            pointer,
            { context, notice in
                guard let context = unsafe context, let notice = unsafe notice else { return }
                unsafe Unmanaged<Handle>.fromOpaque(context).takeUnretainedValue().hear(notice)
            }, unsafe Unmanaged.passUnretained(self).toOpaque())
    }

    private func hear(_ notice: OpaquePointer) {
        if unsafe Self.isEndOfReplicationWait(
            state: Self.field("C", of: notice), file: Self.field("F", of: notice),
            message: Self.field("M", of: notice))
        {
            endedReplicationWait = true
        }
    }

    /// Whether a notice says that a commit stopped waiting for a synchronous standby, because it was cancelled or the
    /// session ends. PostgreSQL does not fail the commit then (`SyncRepWaitForLSN` in syncrep.c). The message may be in
    /// any language. Writes of a trigger that raises such a warning itself are answered with 504.
    static func isEndOfReplicationWait(state: String?, file: String?, message: String?) -> Bool {
        guard state == "01000" || state == "57P01" else { return false }
        return file == "syncrep.c" || message?.contains("synchronous replication") == true
    }

    deinit {
        // Terminates the session properly if the connection is still usable.
        unsafe PQfinish(pointer)
    }

    /// libpq's last error message, one line; it never contains the password.
    var message: String {
        // The text belongs to the connection and is copied at once.
        let text = unsafe PQerrorMessage(pointer).map { unsafe String(cString: $0) } ?? ""
        return Self.oneLine(text)
    }

    /// Why connecting failed, for a handle with verbose errors: the server's error if there is one. With
    /// `sslmode=prefer` there may be two; the first, over TLS, is the more informative.
    var connectError: DatabaseError {
        // As in `message`. A server's error is a line like `…FATAL:  28P01: password authentication failed for user
        // "app"`.
        let text = unsafe PQerrorMessage(pointer).map { unsafe String(cString: $0) } ?? ""
        var lines = text.split(whereSeparator: \.isNewline)
        lines.removeAll { $0.hasPrefix("LOCATION:") }
        for line in lines {
            let parts = line.split(separator: ":  ", maxSplits: 1)
            guard parts.count == 2, parts[1].dropFirst(5).hasPrefix(": ") else { continue }
            let state = parts[1].prefix(5)
            guard state.utf8.allSatisfy({ (0x30...0x39).contains($0) || (0x41...0x5A).contains($0) }) else { continue }
            let message = Self.oneLine(parts[0] + ": " + String(parts[1].dropFirst(7)))
            return .server(.init(sqlState: String(state), message: message, constraint: nil))
        }
        return .connectFailed(Self.oneLine(lines.joined(separator: "\n")))
    }

    static func oneLine(_ text: String) -> String {
        var line = ""
        for part in text.split(whereSeparator: { $0.isNewline || $0 == "\t" }) {
            if !line.isEmpty { line += " " }
            line += part
        }
        return line
    }

    /// Converts an error result; does not free it.
    static func error(in result: OpaquePointer) -> DatabaseError {
        guard let state = unsafe field("C", of: result) else {
            // libpq made this result itself, because the connection broke.
            return .connectionLost
        }
        return .server(
            .init(
                sqlState: state, message: oneLine(unsafe field("M", of: result) ?? ""),
                constraint: unsafe field("n", of: result), table: unsafe field("t", of: result),
                column: unsafe field("c", of: result),
                keyColumns: unsafe field("D", of: result).flatMap {
                    DatabaseError.ServerError.keyColumns(inDetail: $0)
                }, routine: unsafe field("R", of: result),
                origin: .init(
                    severity: unsafe field("V", of: result), position: unsafe field("P", of: result),
                    context: unsafe field("W", of: result))))
    }

    /// A field of an error or a notice (PostgreSQL documentation §55.8).
    private static func field(_ code: Unicode.Scalar, of result: OpaquePointer) -> String? {
        // It belongs to the result and is copied at once.
        unsafe PQresultErrorField(result, Int32(code.value)).map { unsafe String(cString: $0) }
    }
}
