/// The fields that the server itself reads, recognised while a head is parsed.
public enum KnownField: UInt8, CaseIterable, Sendable {
    case host, contentLength, transferEncoding, connection, expect
    case contentType, contentEncoding, accept, acceptEncoding, userAgent, authorization
    case ifMatch, ifNoneMatch, idempotencyKey, prefer
    case origin, secFetchSite
    case xRequestID, xForwardedFor, xForwardedProto, xForwardedPort, xAmznTraceID, traceparent

    /// The field whose name, a token in any case, is at `range` of `bytes`.
    @inline(__always)
    static func recognize(_ range: Range<Int>, in bytes: Span<UInt8>) -> KnownField? {
        let start = range.lowerBound
        switch range.count {
        case 4: return bytes.token(at: start, is: "host") ? .host : nil
        case 6:
            if bytes.token(at: start, is: "accept") { return .accept }
            if bytes.token(at: start, is: "expect") { return .expect }
            if bytes.token(at: start, is: "prefer") { return .prefer }
            return bytes.token(at: start, is: "origin") ? .origin : nil
        case 8: return bytes.token(at: start, is: "if-match") ? .ifMatch : nil
        case 10:
            if bytes.token(at: start, is: "user-agent") { return .userAgent }
            return bytes.token(at: start, is: "connection") ? .connection : nil
        case 11: return bytes.token(at: start, is: "traceparent") ? .traceparent : nil
        case 12:
            if bytes.token(at: start, is: "content-type") { return .contentType }
            return bytes.token(at: start, is: "x-request-id") ? .xRequestID : nil
        case 13:
            if bytes.token(at: start, is: "if-none-match") { return .ifNoneMatch }
            return bytes.token(at: start, is: "authorization") ? .authorization : nil
        case 14:
            if bytes.token(at: start, is: "content-length") { return .contentLength }
            return bytes.token(at: start, is: "sec-fetch-site") ? .secFetchSite : nil
        case 15:
            if bytes.token(at: start, is: "x-forwarded-for") { return .xForwardedFor }
            if bytes.token(at: start, is: "x-amzn-trace-id") { return .xAmznTraceID }
            if bytes.token(at: start, is: "idempotency-key") { return .idempotencyKey }
            return bytes.token(at: start, is: "accept-encoding") ? .acceptEncoding : nil
        case 16:
            if bytes.token(at: start, is: "x-forwarded-port") { return .xForwardedPort }
            return bytes.token(at: start, is: "content-encoding") ? .contentEncoding : nil
        case 17:
            if bytes.token(at: start, is: "x-forwarded-proto") { return .xForwardedProto }
            return bytes.token(at: start, is: "transfer-encoding") ? .transferEncoding : nil
        default: return nil
        }
    }
}

/// One field line, as ranges of the head's bytes.
public struct Field: Equatable, Sendable {
    /// The name as received.
    public let name: Range<Int>
    /// The value without surrounding white space; may be empty.
    public let value: Range<Int>
    /// The recognised field; nil for fields that the server does not read.
    public let known: KnownField?
}

/// The field lines of a head in order of arrival, including duplicates.
public struct Fields: RandomAccessCollection, Equatable, Sendable {
    // Only the first `count` entries belong to this head; the others remain from longer heads and are overwritten in
    // place, which is cheaper than emptying and filling the array.
    private(set) var entries: [Field] = []
    /// Number of field lines.
    public private(set) var count = 0
    /// Bit n is set when the known field n occurs; most look-ups end here.
    private var present: UInt32 = 0
    /// Bit n is set when the known field n occurs more than once.
    private var repeated: UInt32 = 0

    init() {}

    /// 0.
    public var startIndex: Int { 0 }
    /// The number of field lines.
    public var endIndex: Int { count }
    /// The field line at a position from 0 on; traps past the last one.
    public subscript(position: Int) -> Field {
        precondition(position < count, "a position past the last field")
        return entries[position]
    }

    /// Whether a field of that name occurs.
    public func contains(_ known: KnownField) -> Bool { present & (1 << UInt32(known.rawValue)) != 0 }

    /// Whether `If-Match` or `If-None-Match` occurs.
    public var hasPreconditions: Bool {
        present & (1 << UInt32(KnownField.ifMatch.rawValue) | 1 << UInt32(KnownField.ifNoneMatch.rawValue)) != 0
    }

    /// Whether a field of that name occurs more than once.
    public func isRepeated(_ known: KnownField) -> Bool { repeated & (1 << UInt32(known.rawValue)) != 0 }

    /// The value of the first field of that name, nil when absent.
    public func firstRange(of known: KnownField) -> Range<Int>? {
        guard contains(known) else { return nil }
        var index = 0
        while entries[index].known != known { index += 1 }
        return entries[index].value
    }

    /// The value of the last field of that name, nil when absent.
    public func lastRange(of known: KnownField) -> Range<Int>? {
        guard contains(known) else { return nil }
        var index = count - 1
        while entries[index].known != known { index -= 1 }
        return entries[index].value
    }

    /// Number of fields of that name.
    public func count(of known: KnownField) -> Int {
        guard contains(known) else { return 0 }
        var total = 0
        for index in 0..<count where entries[index].known == known { total += 1 }
        return total
    }

    /// Whether both have the same lines at the same positions.
    public static func == (left: Fields, right: Fields) -> Bool { left.elementsEqual(right) }

    @inline(__always)
    mutating func append(_ field: Field) {
        if count < entries.count { entries[count] = field } else { entries.append(field) }
        count &+= 1
        if let known = field.known {
            let bit: UInt32 = 1 << UInt32(known.rawValue)
            repeated |= present & bit
            present |= bit
        }
    }

    mutating func removeAll() {
        if entries.count > Limits.retainedFieldLimit { entries = [] }
        count = 0
        present = 0
        repeated = 0
    }
}
