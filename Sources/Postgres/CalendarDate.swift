import Formatting

/// A calendar date without time and zone; PostgreSQL's date (PostgreSQL documentation, §8.5). Proleptic Gregorian, from
/// 4714-11-24 BC to 5874897-12-31. Reading PostgreSQL's `infinity` and `-infinity` is an error.
///
/// JSON: RFC 3339 full-date, `"2024-11-01"`, for years from 1 to 9999.
public struct CalendarDate: Hashable, Sendable {
    /// PostgreSQL counts from 2000-01-01.
    private static let postgresEpoch: Int32 = 10_957
    /// `IS_VALID_DATE` in src/include/datatype/timestamp.h, converted to days since 1970-01-01.
    private static let range: ClosedRange<Int32> = -2_440_588...2_145_042_905

    /// Days since 1970-01-01; may be negative.
    public let daysSinceEpoch: Int32

    /// - Parameter days: days since 1970-01-01. Nil outside PostgreSQL's range.
    public init?(daysSinceEpoch days: Int) {
        guard let days = Int32(exactly: days), Self.range.contains(days) else { return nil }
        daysSinceEpoch = days
    }

    /// Nil for a date that does not exist or is outside PostgreSQL's range.
    ///
    /// - Parameters:
    ///   - year: astronomical: 0 is 1 BC.
    ///   - month: from 1 to 12.
    ///   - day: from 1.
    public init?(year: Int, month: Int, day: Int) {
        guard let days = CivilTime.daysSinceEpoch(year: year, month: month, day: day) else { return nil }
        self.init(daysSinceEpoch: days)
    }

    private var civil: CivilTime { CivilTime(secondsSinceEpoch: Int(daysSinceEpoch) * 86_400) }

    /// Astronomical: 0 is 1 BC.
    public var year: Int { civil.year }
    /// 1…12
    public var month: Int { civil.month }
    /// 1…31
    public var day: Int { civil.day }
}

extension CalendarDate: Comparable {
    public static func < (first: CalendarDate, second: CalendarDate) -> Bool {
        first.daysSinceEpoch < second.daysSinceEpoch
    }
}

extension CalendarDate: LosslessStringConvertible {
    /// RFC 3339 full-date: four digits of the year, which must not be 0, two of the month, two of the day.
    public init?(_ text: String) {
        var parser = DateTimeParser(text)
        guard let days = parser.date(), parser.isAtEnd else { return nil }
        self.init(daysSinceEpoch: days)
    }

    /// As PostgreSQL writes it: `2024-11-01`; outside RFC 3339's years `12024-11-01` and `0044-03-15 BC`.
    public var description: String {
        let civil = civil
        var bytes: [UInt8] = []
        bytes.append(decimal: civil.year > 0 ? civil.year : 1 - civil.year, width: 4)
        for part in [civil.month, civil.day] {
            bytes.append(0x2D)
            bytes.append(decimal: part, width: 2)
        }
        if civil.year <= 0 { bytes.append(literal: " BC") }
        return String(decoding: bytes, as: UTF8.self)
    }
}

extension CalendarDate: Codable {
    /// - Throws: `DecodingError` if the value is not a string that `init(_:)` accepts.
    public init(from decoder: any Decoder) throws {
        self = try decoder.value(ofText: "a date like 2024-11-01")
    }

    /// - Throws: `EncodingError` for years outside 1 to 9999, which RFC 3339 cannot express.
    public func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        guard (1...9999).contains(year) else {
            throw EncodingError.invalidValue(
                self, .init(codingPath: container.codingPath, debugDescription: "not of the years 1 to 9999"))
        }
        try container.encode(description)
    }
}

/// date: days since 2000-01-01 (`date_send` in src/backend/utils/adt/date.c).
extension CalendarDate: ColumnValue, ArrayElement {
    public static var columnType: ColumnType { .date }

    public init(binary bytes: Span<UInt8>) throws(ColumnError) {
        let days = try bytes.number(as: Int32.self)
        guard days != .max && days != .min else { throw .invalid("is infinite") }
        guard let date = CalendarDate(daysSinceEpoch: Int(days) + Int(Self.postgresEpoch)) else {
            throw .invalid("is no date")
        }
        self = date
    }

    public var parameter: Parameter { .int32(daysSinceEpoch - Self.postgresEpoch) }
}
