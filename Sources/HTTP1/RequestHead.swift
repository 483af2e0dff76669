import Formatting

/// The head of one request: request line and fields. Reused from request to request, so that parsing allocates nothing.
///
/// All ranges index `bytes`. Nothing is normalised: names, paths and values are as the client sent them.
public struct RequestHead: Equatable, Sendable {
    /// The message up to and including its blank line, as received.
    public internal(set) var bytes: [UInt8] = []
    /// A token, case-sensitive.
    public internal(set) var method: Range<Int> = 0..<0
    /// The recognised method; nil for methods that the server does not handle.
    public internal(set) var knownMethod: KnownMethod?
    /// The path, still percent-encoded: it begins with `/`, or is `*` (OPTIONS only), or is empty for an absolute form
    /// without a path (`http://host`, `http://host?query`), which means `/`, with OPTIONS `*`.
    ///
    /// Its escapes are well-formed and none is an encoded null. Dot segments (`.`, `..`, also encoded) and empty
    /// segments (`//`) are kept and never resolved, so a router that compares segments never matches them.
    public internal(set) var path: Range<Int> = 0..<0
    /// The text after the first `?`, raw; nil if there is none. Its escapes are not checked yet.
    public internal(set) var query: Range<Int>?
    /// false: HTTP/1.0.
    public internal(set) var isHTTP11 = true
    /// How the body is delimited.
    public internal(set) var framing = BodyFraming.none
    /// Whether the client allows the connection to stay open: by its version and its Connection tokens, of which
    /// `close` takes precedence.
    public internal(set) var keepAlive = true
    /// Whether the client waits for `100 Continue` before it sends the body; false in HTTP/1.0.
    public internal(set) var expectsContinue = false
    /// Whether the path has escapes that need decoding.
    public internal(set) var pathHasPercent = false
    /// The field lines in order.
    public internal(set) var fields = Fields()

    /// An empty head for a parser to fill.
    public init() {}

    /// Prepares it for the next message, and releases memory beyond what an idle connection keeps.
    public mutating func reset() {
        if bytes.count > 0 {
            if bytes.capacity > Limits.retainedHeadByteLimit {
                bytes = []
            } else {
                bytes.removeAll(keepingCapacity: true)
            }
        }
        fields.removeAll()
        method = 0..<0
        knownMethod = nil
        path = 0..<0
        query = nil
        isHTTP11 = true
        framing = .none
        keepAlive = true
        expectsContinue = false
        pathHasPercent = false
    }

    /// Whether content is allowed. It has no meaning in a GET or a HEAD, and a server in front that expects no body
    /// there takes it for the next request (RFC 9110 §9.3.1).
    var takesContent: Bool { knownMethod != .get && knownMethod != .head }

    /// The first value of a field, trimmed; nil when absent.
    public func firstRange(of known: KnownField) -> Range<Int>? { fields.firstRange(of: known) }

    /// The last value of a field, trimmed; nil when absent.
    public func lastRange(of known: KnownField) -> Range<Int>? { fields.lastRange(of: known) }

    /// Number of field lines of a field.
    public func count(of known: KnownField) -> Int { fields.count(of: known) }

    /// The first value of a field of any name, ignoring its case; bytes that are not UTF-8 are replaced.
    public func value(_ name: String) -> String? {
        for field in fields where matches(field.name, name) { return string(field.value) }
        return nil
    }

    /// Every value of a field of any name, ignoring its case, in order.
    public func values(_ name: String) -> [String] {
        var values: [String] = []
        for field in fields where matches(field.name, name) { values.append(string(field.value)) }
        return values
    }

    /// A part of the head as text; bytes that are not UTF-8 are replaced.
    public func string(_ range: Range<Int>) -> String {
        String(decoding: bytes[range], as: UTF8.self)
    }

    private func matches(_ range: Range<Int>, _ name: String) -> Bool {
        Grammar.equalsIgnoringCase(bytes.span.extracting(range), name.utf8.span)
    }
}
