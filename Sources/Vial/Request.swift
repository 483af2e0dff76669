import Formatting
import FoundationEssentials
public import HTTP1
public import HTTPTypes
public import Platform
public import Reactor

/// A complete request with its body. Belongs to the task that handles it; the connection reuses the object for its next
/// request, unless a handler retains it.
public final class Request {
    public internal(set) var head = RequestHead()
    public internal(set) var body: [UInt8] = []
    /// The matched route; nil when none matched.
    public internal(set) var route: Route?
    /// The positions of the route's parameter values in the path.
    var captures = Captures()
    /// The other end of the connection; behind a load balancer, the balancer.
    public internal(set) var peer: SocketAddress?
    /// Whether the peer's statements about the client (X-Forwarded-For, X-Amzn-Trace-Id) are trusted.
    public internal(set) var isPeerTrusted = false
    /// When the head was read.
    public internal(set) var start = Instant(nanoseconds: 0)
    /// The request's identifier in ASCII; see `RequestID`.
    public internal(set) var requestIDBytes: [UInt8] = []
    /// The position of the load balancer's trace root in the head; nil without one, or if the peer is not trusted.
    public internal(set) var traceRoot: Range<Int>?

    public init() {}

    /// An empty request for the same connection.
    func next() -> Request {
        let next = Request()
        next.peer = peer
        next.isPeerTrusted = isPeerTrusted
        return next
    }

    /// A request for tests, without a socket: `Request(.get, "/api/orders?limit=2")`.
    ///
    /// - Throws: `ProtocolError` when the message is not valid HTTP.
    public convenience init(
        _ method: HTTPRequest.Method, _ target: String, fields: [(String, String)] = [], body: String = ""
    ) throws(ProtocolError) {
        self.init()
        var message = "\(method.rawValue) \(target) HTTP/1.1\r\nHost: test\r\n"
        for (name, value) in fields { message += "\(name): \(value)\r\n" }
        if !body.isEmpty { message += "Content-Length: \(body.utf8.count)\r\n" }
        message += "\r\n\(body)"
        let bytes = Array(message.utf8)
        var reader = RequestReader(limits: Limits())
        guard case .head(let used) = try reader.read(bytes.span, head: &head, body: &self.body) else {
            fatalError("the message ends before its head does")
        }
        self.body = Array(bytes[used...])
        requestIDBytes = Array("test".utf8)
    }

    /// The method; nil if the message could not be parsed.
    public var method: HTTPRequest.Method? {
        // Common methods need no string.
        switch head.knownMethod {
        case .get: .get
        case .head: .head
        case .post: .post
        default: HTTPRequest.Method(head.string(head.method))
        }
    }

    /// The path as it was sent, percent-encoded, without the query.
    public var path: String { head.string(head.path) }

    /// Whether part of the path is percent-encoded, so that the same path also has another spelling.
    public var hasEscapedPath: Bool { head.pathHasPercent }

    public var requestID: String { String(decoding: requestIDBytes, as: UTF8.self) }

    /// The scheme the client used towards the load balancer: `http` or `https`, the last element of a trusted peer's
    /// X-Forwarded-Proto, which that peer appended itself; nil if the peer is not trusted or the element differs.
    public var forwardedScheme: Range<Int>? {
        guard isPeerTrusted, let range = head.fields.lastRange(of: .xForwardedProto) else { return nil }
        let bytes = head.bytes
        let text = bytes.span
        var start = range.upperBound
        while start > range.lowerBound, 0x61...0x7A ~= text[start - 1] { start -= 1 }
        if start > range.lowerBound {
            let before = text[start - 1]
            guard before == UInt8(ascii: ",") || before == 0x20 || before == 0x09 else { return nil }
        }
        let element = text.extracting(start..<range.upperBound)
        return element.equals("https") || element.equals("http") ? start..<range.upperBound : nil
    }

    /// The first value of a field; nil when absent.
    public func field(_ name: HTTPField.Name) -> String? { head.value(name.rawName) }

    /// The value of the route's parameter `index`; advances `index`.
    ///
    /// - Throws: `HTTPError` 404 when the segment cannot be converted.
    @usableFromInline
    func nextParameter<Value: PathParameter>(_ type: Value.Type, _ index: inout Int) throws -> Value {
        precondition(index < captures.count, "route \(route?.pattern ?? "") has no parameter \(index)")
        let segment = captures[index]
        index += 1
        let bytes = head.bytes
        guard head.pathHasPercent else { return try Value.value(of: bytes.span.extracting(segment)) }
        guard let decoded = try? PercentEncoding.decodeSegment(bytes.span.extracting(segment)) else {
            throw HTTPError.nothingHere
        }
        return try Value.value(of: Array(decoded.utf8).span)
    }

    // Generic functions are inlined into the caller, where the type is known: unspecialized code has to ask the runtime
    // for the metadata of the optional.

    /// A query parameter, or `fallback` when it is absent.
    ///
    /// - Throws: `HTTPError` 400 when it is repeated, badly encoded, or not a `Value`.
    @inlinable
    public func query<Value: QueryParameter>(_ name: String, default fallback: Value) throws -> Value {
        try query(name) ?? fallback
    }

    /// A query parameter; nil when it is absent.
    ///
    /// - Throws: as `query(_:default:)`.
    @inlinable
    public func query<Value: QueryParameter>(_ name: String, as type: Value.Type = Value.self) throws -> Value? {
        guard let found = try queryText(name) else { return nil }
        guard let value = Value(queryValue: found) else {
            throw HTTPError(.badRequest, "Query parameter \(name) must be \(Value.expectation).")
        }
        return value
    }

    @usableFromInline
    func queryText(_ name: String) throws(HTTPError) -> String? {
        var found: String?
        var items = QueryItems(head)
        while let value = try next(of: &items, named: name) {
            guard found == nil else { throw HTTPError(.badRequest, "Query parameter \(name) is given twice.") }
            found = value
        }
        return found
    }

    private func next(of items: inout QueryItems, named name: String) throws(HTTPError) -> String? {
        do throws(ProtocolError) { return try items.next(named: name) } catch {
            throw HTTPError(.badRequest, error.detail)
        }
    }

    /// Decodes the body from JSON, with RFC 3339 dates.
    ///
    /// - Throws: `HTTPError` 400 with the position when the body is not JSON, 422 with the field when it has the wrong
    ///   shape.
    public func json<Value: Decodable>(_ type: Value.Type) throws -> Value {
        _ = try members()
        return try decoded(type, from: body)
    }

    /// As above, without `JSONDecoder` for the usual body: the decoder would parse the text a second time.
    @inlinable
    public func json<Value: JSONObjectDecodable>(_ type: Value.Type) throws -> Value {
        let members = try members()
        if let members, let value = Value(members) { return value }
        return try decoded(type, from: outline(members))
    }

    /// The body to pass to `JSONDecoder` for a type whose members are strings. Nested arrays and objects are emptied,
    /// because they are not needed and the decoder takes a dozen times their size in memory.
    @usableFromInline
    func outline(_ members: JSONMembers?) -> [UInt8] {
        if let members { return members.outline }
        let isArray = body.first { $0 != 0x20 && $0 != 0x09 && $0 != 0x0A && $0 != 0x0D } == UInt8(ascii: "[")
        return isArray ? Array("[]".utf8) : body
    }

    @usableFromInline
    func members() throws(HTTPError) -> JSONMembers? {
        do throws(JSONSyntax.Fault) { return try JSONSyntax.check(body) } catch {
            throw HTTPError(.badRequest, "The body is not JSON: \(error.description(in: body)).")
        }
    }

    @usableFromInline
    func decoded<Value: Decodable>(_ type: Value.Type, from body: [UInt8]) throws -> Value {
        do {
            return try JSONDecoder.readingDates().decode(type, from: Data(body))
        } catch let error as DecodingError {
            throw HTTPError(error)
        }
    }
}

/// A type that a query parameter can be converted to.
public protocol QueryParameter {
    /// The value of the decoded text; nil when it cannot be converted.
    init?(queryValue: String)
    /// What a client should send, after "must be": `a whole number`.
    static var expectation: String { get }
}

extension String: QueryParameter {
    public init?(queryValue: String) { self = queryValue }
    public static var expectation: String { "text" }
}

extension Int: QueryParameter {
    public init?(queryValue: String) {
        // `Int("+5")` is 5, so the digits are checked before the conversion.
        guard queryValue.utf8.drop(while: { $0 == 0x2D }).allSatisfy({ (0x30...0x39).contains($0) }) else { return nil }
        self.init(queryValue)
    }
    public static var expectation: String { "a whole number" }
}
