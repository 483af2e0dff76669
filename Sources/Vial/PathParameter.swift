public import FoundationEssentials

/// A type that a path segment can be converted to. If the conversion fails, the response is 404.
public protocol PathParameter {
    /// - Parameter segment: the percent-decoded bytes between two slashes, never empty.
    init?(segment: Span<UInt8>)
    /// As `init(segment:)`, for generic callers, where an optional of an unknown type is slow.
    ///
    /// - Throws: `HTTPError` 404 when the segment cannot be converted.
    static func value(of segment: Span<UInt8>) throws -> Self
    /// For a document.
    static var schema: Schema { get }
}

extension PathParameter {
    public static func value(of segment: Span<UInt8>) throws -> Self {
        guard let value = Self(segment: segment) else { throw HTTPError.nothingHere }
        return value
    }

    public static var schema: Schema { .string(example: "name") }
}

extension Int64: PathParameter {
    public static var schema: Schema { .integer() }

    /// Decimal digits without leading zeros, and `-` for negative numbers, so that each number has exactly one path.
    public init?(segment: Span<UInt8>) {
        let isNegative = segment.count > 1 && segment[0] == 0x2D
        let start = isNegative ? 1 : 0
        let count = segment.count - start
        // Int64.max has 19 digits. The count is checked because other callers than the router may pass empty text.
        guard count >= 1 && count <= 19, segment[start] != 0x30 || segment.count == 1 else { return nil }
        // Accumulated as a negative number, because Int64.min has no positive counterpart.
        var value: Int64 = 0
        for index in start..<segment.count {
            let digit = segment[index] &- 0x30
            guard digit < 10 else { return nil }
            let (product, overflow) = value.multipliedReportingOverflow(by: 10)
            let (difference, borrow) = product.subtractingReportingOverflow(Int64(digit))
            if overflow || borrow { return nil }
            value = difference
        }
        if !isNegative {
            guard value != .min else { return nil }
            value = -value
        }
        self = value
    }
}

extension String: PathParameter {
    public init?(segment: Span<UInt8>) {
        // Copied before the call returns.
        guard let text = unsafe segment.withUnsafeBufferPointer({ unsafe String(validating: $0, as: UTF8.self) }) else {
            return nil
        }
        self = text
    }
}

extension UUID: PathParameter, QueryParameter {
    public static var schema: Schema { UUIDRule().schema }

    /// 36 characters, in lower or upper case: RFC 9562 §4 requires both to be accepted.
    public init?(segment: Span<UInt8>) {
        guard let text = String(segment: segment) else { return nil }
        self.init(queryValue: text)
    }

    /// 36 characters, as in a path.
    public init?(queryValue: String) {
        guard queryValue.utf8.count == 36 else { return nil }
        self.init(uuidString: queryValue)
    }

    public static var expectation: String { "a UUID" }
}
