import Formatting

/// Why a field cannot be part of a response.
public enum FieldError: Error, Equatable, Sendable {
    /// The name is not a token.
    case invalidName
    /// The encoder writes this field itself, so a second line could contradict the first.
    case reservedName
    /// The value has a control character, such as CR, LF or NUL.
    case invalidValue
    /// All fields together would be longer than `Limits.responseFieldByteLimit`.
    case tooLong
}

/// The fields that a handler adds to a response, already encoded: `Name: value` lines in order.
///
/// A value that would split a response, and a second framing field, cannot be constructed.
public struct ResponseFields: Equatable, Sendable {
    /// Whole lines with their line ends; at most `Limits.responseFieldByteLimit` bytes.
    public internal(set) var bytes: [UInt8] = []

    /// No fields.
    public init() {}

    /// No fields, with room for lines of so many bytes.
    public init(reserving byteCount: Int) {
        bytes.reserveCapacity(byteCount)
    }

    /// Whether there are no fields.
    public var isEmpty: Bool { bytes.isEmpty }

    /// Appends a line, or nothing when it throws.
    ///
    /// Text that is not ASCII is sent as UTF-8, which recipients treat as opaque bytes (RFC 9110 §5.5).
    ///
    /// - Parameter name: any token except Connection, Content-Length, Date, Server, Transfer-Encoding and X-Request-Id.
    public mutating func append(_ name: String, _ value: String) throws(FieldError) {
        try append(name.utf8.span, value.utf8.span)
    }

    /// Appends a line whose value is given as bytes, as `append(_:_:)` does, without creating strings.
    public mutating func append(literal name: StaticString, utf8 value: Span<UInt8>) throws(FieldError) {
        // The literal is part of the binary, and its count is exact.
        let name = unsafe Span(_unsafeStart: name.utf8Start, count: name.utf8CodeUnitCount)
        try append(name, value)
    }

    /// Appends a line known at compile time; traps where `append(_:_:)` throws.
    public mutating func append(literal name: StaticString, _ value: StaticString) {
        do {
            // As above.
            let value = unsafe Span(_unsafeStart: value.utf8Start, count: value.utf8CodeUnitCount)
            try append(literal: name, utf8: value)
        } catch {
            fatalError("a literal response field is invalid: \(error)")
        }
    }

    /// Appends the lines of others; traps when all together would be too long.
    public mutating func append(_ others: ResponseFields) {
        if bytes.isEmpty {
            bytes = others.bytes
            return
        }
        precondition(bytes.count + others.bytes.count <= Limits.responseFieldByteLimit, "response fields are too long")
        bytes += others.bytes
    }

    private mutating func append(_ name: Span<UInt8>, _ value: Span<UInt8>) throws(FieldError) {
        guard Grammar.isToken(name) else { throw .invalidName }
        guard !Self.isReserved(name) else { throw .reservedName }
        guard Grammar.endOfFieldValue(in: value, from: 0, to: value.count) == value.count else {
            throw .invalidValue
        }
        guard bytes.count + name.count + value.count + 4 <= Limits.responseFieldByteLimit else { throw .tooLong }
        bytes.append(addingCapacity: name.count + value.count + 4) { bytes in
            bytes.append(span: name)
            bytes.append(literal: ": ")
            bytes.append(span: value)
            bytes.append(literal: "\r\n")
        }
    }

    /// Whether the lines of others can be appended.
    public func hasRoom(for others: ResponseFields) -> Bool {
        bytes.count + others.bytes.count <= Limits.responseFieldByteLimit
    }

    /// The value of the first line of that name, ignoring case; nil if there is none.
    public func value(_ name: String) -> String? {
        let (wanted, all) = (name.utf8.span, bytes.span)
        var start = 0
        while start < all.count {
            var end = start
            while all[end] != Grammar.carriageReturn { end += 1 }
            let colon = Grammar.firstIndex(of: 0x3A, in: all, from: start, to: end)
            if Grammar.equalsIgnoringCase(all.extracting(start..<colon), wanted) {
                return String(decoding: bytes[(colon + 2)..<end], as: UTF8.self)
            }
            start = end + 2
        }
        return nil
    }

    private static func isReserved(_ name: Span<UInt8>) -> Bool {
        switch name.count {
        case 4: name.token(at: 0, is: "date")
        case 6: name.token(at: 0, is: "server")
        case 10: name.token(at: 0, is: "connection")
        case 12: name.token(at: 0, is: "x-request-id")
        case 14: name.token(at: 0, is: "content-length")
        case 17: name.token(at: 0, is: "transfer-encoding")
        default: false
        }
    }
}
