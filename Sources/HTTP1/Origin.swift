/// The origin of a page, as browsers write it (RFC 6454 §6.2): `https://app.example.com`, with the port unless it is the
/// scheme's.
public struct Origin: Hashable, Sendable {
    /// Scheme, host and port in lower case.
    public let text: String

    /// Nil for a text that is not the scheme http or https, a host, and possibly a port: also for `*` and `null`, and
    /// for a path, even `/`.
    public init?(_ text: String) {
        let text = text.lowercased()
        guard let scheme = ["http", "https"].first(where: { text.hasPrefix($0 + "://") }) else { return nil }
        let authority = text.dropFirst(scheme.count + 3)
        guard authority.utf8.allSatisfy(Self.isPlain), HostField.isValid(authority.utf8.span), authority.last != ":"
        else { return nil }
        let port = scheme == "http" ? ":80" : ":443"
        self.text = authority.hasSuffix(port) ? String(text.dropLast(port.count)) : text
    }

    /// Whether browsers write the byte in a host or a port: other characters of a host become ASCII (RFC 5891), and there
    /// are no wildcards.
    private static func isPlain(_ byte: UInt8) -> Bool {
        switch byte {
        case 0x30...0x39, 0x61...0x7A, 0x2D, 0x2E, 0x5F, 0x3A, 0x5B, 0x5D: true
        default: false
        }
    }
}
