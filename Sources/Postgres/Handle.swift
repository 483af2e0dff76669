import CPostgres

/// An open libpq connection and the duty to finish it. Used by one thread at a time: first the one that opens it, then
/// its loop.
@safe final class Handle: @unchecked Sendable {
    let pointer: OpaquePointer

    init(owning pointer: OpaquePointer) {
        unsafe self.pointer = unsafe pointer
    }

    deinit {
        // Says goodbye to the server when the connection still stands.
        unsafe PQfinish(pointer)
    }

    /// libpq's last complaint, one line; it never contains the password.
    var message: String {
        // The text belongs to the connection and is copied at once.
        let text = unsafe PQerrorMessage(pointer).map { unsafe String(cString: $0) } ?? ""
        return Self.oneLine(text)
    }

    /// Why connecting failed, of a handle with verbose errors: the server's own refusal where there is one. With
    /// `sslmode=prefer` there may be two, of which the first, over TLS, says more.
    var connectError: DatabaseError {
        // As in `message`. A refusal is a line like `…FATAL:  28P01: password authentication failed for user "items"`.
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

    /// Takes an error result apart; does not free it.
    static func error(in result: OpaquePointer) -> DatabaseError {
        // The fields belong to the result and are copied at once.
        let field = { (code: Int32) in unsafe PQresultErrorField(result, code).map { unsafe String(cString: $0) } }
        guard let state = field(Int32(UInt8(ascii: "C"))) else {
            // libpq made this result itself, for a connection that broke.
            return .connectionLost
        }
        return .server(
            .init(
                sqlState: state, message: oneLine(field(Int32(UInt8(ascii: "M"))) ?? ""),
                constraint: field(Int32(UInt8(ascii: "n"))), table: field(Int32(UInt8(ascii: "t"))),
                column: field(Int32(UInt8(ascii: "c")))))
    }
}
