/// Writes timestamps like `2024-11-01T12:00:00.000000Z`: RFC 3339 with six decimals.
///
/// It keeps the last one as text: the timestamps of a page are mostly of one day, and an unchanged item has the same
/// one twice. A copy is cheaper than writing the digits, and the digits are cheaper than the calendar.
public struct TimestampWriter {
    /// Bytes of every timestamp.
    public static let byteCount = 27
    /// 0001-01-01T00:00:00.000000Z to 9999-12-31T23:59:59.999999Z: RFC 3339 has four-digit years, and many programs
    /// cannot read year 0. PostgreSQL's own range is wider.
    private static let range = -62_135_596_800_000_000...253_402_300_799_999_999 as ClosedRange<Int64>
    private static let dayLength: Int64 = 86_400_000_000
    private static let timeStart = 11

    /// No instant is in the day that begins here.
    private var day = Int64.min
    private var last = Int64.min
    /// `2024-11-01T` up to `timeStart`, then `12:00:00.000000Z`.
    private var text: InlineArray<27, UInt8> = [
        0x30, 0x30, 0x30, 0x30, 0x2D, 0x30, 0x30, 0x2D, 0x30, 0x30, 0x54,
        0x30, 0x30, 0x3A, 0x30, 0x30, 0x3A, 0x30, 0x30, 0x2E, 0x30, 0x30, 0x30, 0x30, 0x30, 0x30, 0x5A,
    ]

    public init() {}

    /// Appends an instant given in microseconds since 1970-01-01T00:00:00Z, which may be negative; `byteCount` bytes.
    /// An instant before year 1 or after year 9999 is written as the first or the last one in between.
    public mutating func write(microseconds: Int64, to output: inout OutputSpan<UInt8>) {
        if microseconds != last || day == .min { set(microseconds) }
        output.append(span: text.span)
    }

    private mutating func set(_ microseconds: Int64) {
        last = microseconds
        let clamped = min(max(microseconds, Self.range.lowerBound), Self.range.upperBound)
        var (day, rest) = clamped.quotientAndRemainder(dividingBy: Self.dayLength)
        if rest < 0 {
            day -= 1
            rest += Self.dayLength
        }
        if day != self.day { setDate(day) }
        let second = UInt32(truncatingIfNeeded: rest / 1_000_000)
        let fraction = UInt32(truncatingIfNeeded: rest % 1_000_000)
        write(twoDigits: second / 3600, at: Self.timeStart)
        write(twoDigits: second / 60 % 60, at: Self.timeStart + 3)
        write(twoDigits: second % 60, at: Self.timeStart + 6)
        write(twoDigits: fraction / 10_000, at: Self.timeStart + 9)
        write(twoDigits: fraction / 100 % 100, at: Self.timeStart + 11)
        write(twoDigits: fraction % 100, at: Self.timeStart + 13)
    }

    private mutating func setDate(_ day: Int64) {
        self.day = day
        let date = CivilTime.date(daysSinceEpoch: Int(day))
        write(twoDigits: UInt32(date.year / 100), at: 0)
        write(twoDigits: UInt32(date.year % 100), at: 2)
        write(twoDigits: UInt32(date.month), at: 5)
        write(twoDigits: UInt32(date.day), at: 8)
    }

    /// Writes 0…99 as two decimal digits.
    @inline(__always)
    private mutating func write(twoDigits value: UInt32, at index: Int) {
        text[index] = 0x30 &+ UInt8(truncatingIfNeeded: value / 10)
        text[index + 1] = 0x30 &+ UInt8(truncatingIfNeeded: value % 10)
    }
}

extension [UInt8] {
    /// Appends `2024-11-01T12:00:00.000000Z`: RFC 3339 with six decimals.
    ///
    /// - Parameter microseconds: since 1970-01-01T00:00:00Z; may be negative. As in `TimestampWriter.write`.
    public mutating func append(timestampMicroseconds microseconds: Int64) {
        var writer = TimestampWriter()
        append(addingCapacity: TimestampWriter.byteCount) { writer.write(microseconds: microseconds, to: &$0) }
    }
}
