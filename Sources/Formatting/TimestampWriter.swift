/// Writes timestamps like `2024-11-01T12:00:00.000000Z`: RFC 3339 with six decimals.
///
/// Keeps the last one as text, since those of a page are mostly of one day, and an item that was never changed has the same
/// one twice: the calendar takes more instructions than all of the digits, and both more than a copy.
public struct TimestampWriter {
    /// The longest has a year of six digits and its sign.
    public static let longestByteCount = 30
    private static let dayLength: Int64 = 86_400_000_000
    private static let timeStart = 14

    /// No moment is in the day that the first of all begins with.
    private var day = Int64.min
    private var last = Int64.min
    /// `2024-11-01T` up to `timeStart`, from `start`; then `12:00:00.000000Z`.
    private var text = InlineArray<30, UInt8>(repeating: 0)
    private var start = 0

    public init() {
        text[Self.timeStart + 2] = 0x3A
        text[Self.timeStart + 5] = 0x3A
        text[Self.timeStart + 8] = 0x2E
        text[Self.timeStart + 15] = 0x5A
    }

    /// Appends a moment given in microseconds since 1970-01-01T00:00:00Z, which may be negative; `longestByteCount` bytes at most.
    public mutating func write(microseconds: Int64, to output: inout OutputSpan<UInt8>) {
        if microseconds != last || day == .min { set(microseconds) }
        output.append(span: text.span.extracting(start..<Self.longestByteCount))
    }

    private mutating func set(_ microseconds: Int64) {
        var (day, rest) = microseconds.quotientAndRemainder(dividingBy: Self.dayLength)
        if rest < 0 {
            day -= 1
            rest += Self.dayLength
        }
        if day != self.day { setDate(day) }
        last = microseconds
        let second = UInt32(truncatingIfNeeded: rest / 1_000_000)
        let fraction = UInt32(truncatingIfNeeded: rest % 1_000_000)
        write(twoDigits: second / 3600, at: 0)
        write(twoDigits: second / 60 % 60, at: 3)
        write(twoDigits: second % 60, at: 6)
        write(twoDigits: fraction / 10_000, at: 9)
        write(twoDigits: fraction / 100 % 100, at: 11)
        write(twoDigits: fraction % 100, at: 13)
    }

    private mutating func setDate(_ day: Int64) {
        self.day = day
        let time = CivilTime(secondsSinceEpoch: Int(day * 86_400))
        if time.year >= 0 && time.year <= 9999 {
            start = Self.timeStart - 11
            write(twoDigits: UInt32(time.year / 100), at: -11)
            write(twoDigits: UInt32(time.year % 100), at: -9)
            text[start + 4] = 0x2D
            write(twoDigits: UInt32(time.month), at: -6)
            text[start + 7] = 0x2D
            write(twoDigits: UInt32(time.day), at: -3)
            text[start + 10] = 0x54
            return
        }
        var date: [UInt8] = []
        date.append(date: time)
        date.append(0x54)
        start = Self.timeStart - date.count
        for (index, byte) in date.enumerated() { text[start + index] = byte }
    }

    /// Writes 0…99 as two decimal digits, `index` bytes from `timeStart`.
    @inline(__always)
    private mutating func write(twoDigits value: UInt32, at index: Int) {
        text[Self.timeStart + index] = 0x30 &+ UInt8(truncatingIfNeeded: value / 10)
        text[Self.timeStart + index + 1] = 0x30 &+ UInt8(truncatingIfNeeded: value % 10)
    }
}

extension [UInt8] {
    /// Appends `2024-11-01T12:00:00.000000Z`: RFC 3339 with six decimals.
    ///
    /// - Parameter microseconds: since 1970-01-01T00:00:00Z; may be negative.
    public mutating func append(timestampMicroseconds microseconds: Int64) {
        var writer = TimestampWriter()
        append(addingCapacity: TimestampWriter.longestByteCount) { writer.write(microseconds: microseconds, to: &$0) }
    }
}
