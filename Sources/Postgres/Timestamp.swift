import Formatting

/// A point in time with microsecond precision; PostgreSQL's timestamptz, which stores no zone (PostgreSQL
/// documentation, §8.5). Reading PostgreSQL's `infinity` and `-infinity` is an error, and so are the last 29 years of
/// PostgreSQL's range, from 294247-01-10 on.
///
/// JSON: RFC 3339 date-time in UTC with six decimals, `"2024-11-01T12:00:00.000000Z"`, for years from 1 to 9999.
/// Decoding also accepts other offsets and fewer decimals.
public struct Timestamp: Hashable, Sendable {
    /// PostgreSQL counts from 2000-01-01T00:00:00Z.
    private static let postgresEpoch: Int64 = 946_684_800_000_000
    /// PostgreSQL's earliest timestamp, 4714-11-24T00:00:00Z BC, in its own count (`MIN_TIMESTAMP` in
    /// src/include/datatype/timestamp.h).
    private static let first: Int64 = -211_813_488_000_000_000
    /// The years 1 to 9999, in microseconds since 1970-01-01.
    private static let textRange: ClosedRange<Int64> = -62_135_596_800_000_000...253_402_300_799_999_999

    /// Microseconds since 1970-01-01T00:00:00Z; may be negative.
    public let microsecondsSinceEpoch: Int64

    /// - Parameter microseconds: since 1970-01-01T00:00:00Z. PostgreSQL refuses those before 4714-11-24 BC.
    public init(microsecondsSinceEpoch microseconds: Int64) {
        microsecondsSinceEpoch = microseconds
    }

    private var isText: Bool { Self.textRange.contains(microsecondsSinceEpoch) }
}

extension Timestamp: Comparable {
    public static func < (first: Timestamp, second: Timestamp) -> Bool {
        first.microsecondsSinceEpoch < second.microsecondsSinceEpoch
    }
}

extension Timestamp: LosslessStringConvertible {
    /// RFC 3339 date-time in the years 1 to 9999: `2024-11-01T12:00:00Z`, `2024-11-01T13:30:00.25+01:30`. Leap seconds
    /// and more than six decimals are refused, since they would be lost.
    public init?(_ text: String) {
        var parser = DateTimeParser(text)
        guard let microseconds = parser.moment(), parser.isAtEnd else { return nil }
        self.init(microsecondsSinceEpoch: microseconds)
        if !isText { return nil }
    }

    /// `2024-11-01T12:00:00.000000Z`; outside RFC 3339's years `12024-11-01T…Z` and `0044-03-15T…Z BC`.
    public var description: String {
        var bytes: [UInt8] = []
        if isText {
            bytes.append(timestampMicroseconds: microsecondsSinceEpoch)
            return String(decoding: bytes, as: UTF8.self)
        }
        var (seconds, fraction) = microsecondsSinceEpoch.quotientAndRemainder(dividingBy: 1_000_000)
        if fraction < 0 {
            seconds -= 1
            fraction += 1_000_000
        }
        let civil = CivilTime(secondsSinceEpoch: Int(seconds))
        bytes.append(decimal: civil.year > 0 ? civil.year : 1 - civil.year, width: 4)
        for (separator, part) in zip("--T::".utf8, [civil.month, civil.day, civil.hour, civil.minute, civil.second]) {
            bytes.append(separator)
            bytes.append(decimal: part, width: 2)
        }
        bytes.append(0x2E)
        bytes.append(decimal: Int(fraction), width: 6)
        bytes.append(0x5A)
        if civil.year <= 0 { bytes.append(literal: " BC") }
        return String(decoding: bytes, as: UTF8.self)
    }
}

extension Timestamp: Codable {
    /// - Throws: `DecodingError` if the value is not a string that `init(_:)` accepts.
    public init(from decoder: any Decoder) throws {
        self = try decoder.value(ofText: "a moment like 2024-11-01T12:00:00Z")
    }

    /// - Throws: `EncodingError` for years outside 1 to 9999, which RFC 3339 cannot express.
    public func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        guard isText else {
            throw EncodingError.invalidValue(
                self, .init(codingPath: container.codingPath, debugDescription: "not of the years 1 to 9999"))
        }
        try container.encode(description)
    }
}

/// timestamptz: microseconds since 2000-01-01T00:00:00Z (`timestamptz_send` in src/backend/utils/adt/timestamp.c).
extension Timestamp: ColumnValue, ArrayElement {
    public static var columnType: ColumnType { .timestamptz }

    public init(binary bytes: Span<UInt8>) throws(ColumnError) {
        let microseconds = try bytes.number(as: Int64.self)
        guard microseconds != .max && microseconds != .min else { throw .invalid("is infinite") }
        let (sum, overflow) = microseconds.addingReportingOverflow(Self.postgresEpoch)
        guard !overflow, microseconds >= Self.first else { throw .invalid("is out of the range of timestamps") }
        self.init(microsecondsSinceEpoch: sum)
    }

    /// Sent like an int8: eight bytes in network byte order.
    public var parameter: Parameter {
        let (difference, overflow) = microsecondsSinceEpoch.subtractingReportingOverflow(Self.postgresEpoch)
        // The smallest number is -infinity. The next one is out of the server's range, as the timestamp is, and the
        // server reports that.
        return .int64(overflow ? .min + 1 : max(difference, .min + 1))
    }
}
