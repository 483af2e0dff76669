import Formatting
import FoundationEssentials
public import HTTP1
public import HTTPTypes
public import Reactor

/// One request, complete with its body. Belongs to the task that handles it; the connection uses the object again for
/// its next request, unless a handler kept it.
public final class Request {
    public internal(set) var head = RequestHead()
    public internal(set) var body: [UInt8] = []
    /// What the router matched; nil when nothing did.
    public internal(set) var route: Route?
    /// Where the values of the route's parameters stand in the path.
    var captures = Captures()
    /// The other end of the connection: the load balancer, where there is one.
    public internal(set) var peer: SocketAddress?
    /// Whether the peer's word on the client (X-Forwarded-For, X-Amzn-Trace-Id) is believed.
    public internal(set) var isPeerTrusted = false
    /// When its head was read, on the monotonic clock.
    public internal(set) var start: UInt64 = 0
    /// ASCII; see `RequestID`, which also finds the trace.
    public internal(set) var requestIDBytes: [UInt8] = []
    /// Where the root of the load balancer's trace stands in the head; nil without one, or from a peer that is not trusted.
    public internal(set) var traceRoot: Range<Int>?

    public init() {}

    /// An empty one of the same connection.
    func next() -> Request {
        let next = Request()
        next.peer = peer
        next.isPeerTrusted = isPeerTrusted
        return next
    }

    /// A request without a socket, for tests: `Request(.get, "/api/orders?limit=2")`.
    ///
    /// - Throws: `ProtocolError` when no client could send it.
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

    /// Its method; nil for bytes that are no request.
    public var method: HTTPRequest.Method? {
        // The common ones make no string.
        switch head.knownMethod {
        case .get: .get
        case .head: .head
        case .post: .post
        default: HTTPRequest.Method(head.string(head.method))
        }
    }

    /// The path as it was sent, percent-encoded, without the query.
    public var path: String { head.string(head.path) }

    /// Whether some of the path's bytes were percent-encoded: then it has another spelling.
    public var hasEscapedPath: Bool { head.pathHasPercent }

    public var requestID: String { String(decoding: requestIDBytes, as: UTF8.self) }

    /// How the client spoke to the balancer: `http` or `https` at the end of a trusted peer's X-Forwarded-Proto, which
    /// that peer wrote itself; nil when nobody that is believed says so in exactly these words.
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

    /// The value of the route's parameter `index`, which then is the next one.
    ///
    /// - Throws: `HTTPError` 404 when its segment is no value of the type.
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

    // What has a type of the caller's is inlined there: code for any type asks the runtime for the type's optional, which took
    // 1,700 instructions of a page and 450 of a create.

    /// A query parameter, or `fallback` when it is absent.
    ///
    /// - Throws: `HTTPError` 400 when it is repeated, not well encoded, or no `Value`.
    @inlinable
    public func query<Value: QueryParameter>(_ name: String, default fallback: Value) throws -> Value {
        try query(name) ?? fallback
    }

    /// A query parameter, nil when it is absent.
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

    /// The body decoded from JSON, of dates as RFC 3339 has them.
    ///
    /// - Throws: `HTTPError` 400 with the position when it is not JSON, 422 naming the field when it has another shape.
    public func json<Value: Decodable>(_ type: Value.Type) throws -> Value {
        _ = try members()
        return try decoded(type, from: body)
    }

    /// The same, without JSONDecoder for what most clients send: it reads the text all over again, and takes 20,000
    /// instructions for an item.
    @inlinable
    public func json<Value: JSONObjectDecodable>(_ type: Value.Type) throws -> Value {
        let members = try members()
        if let members, let value = Value(members) { return value }
        return try decoded(type, from: outline(members))
    }

    /// What JSONDecoder has to see of a body for a type of texts: it takes a dozen times the memory of what is in arrays and
    /// objects, which hold none of them.
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

/// A value that a query parameter may have.
public protocol QueryParameter {
    /// The value of decoded text, nil when it is none.
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
        // `Int("+5")` is 5, so the digits are looked at first.
        guard queryValue.utf8.drop(while: { $0 == 0x2D }).allSatisfy({ (0x30...0x39).contains($0) }) else { return nil }
        self.init(queryValue)
    }
    public static var expectation: String { "a whole number" }
}
