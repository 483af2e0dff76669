import Formatting

/// Parses RFC 3339 dates and times (§5.6) from the front of a text.
struct DateTimeParser {
    private var rest: ArraySlice<UInt8>

    init(_ text: String) {
        rest = Array(text.utf8)[...]
    }

    var isAtEnd: Bool { rest.isEmpty }

    /// A full-date as days since 1970-01-01; nil for dates that do not exist, including year 0.
    mutating func date() -> Int? {
        guard let year = number(of: 4), year > 0, take("-"), let month = number(of: 2), take("-"),
            let day = number(of: 2)
        else { return nil }
        return CivilTime.daysSinceEpoch(year: year, month: month, day: day)
    }

    /// A date-time as microseconds since 1970-01-01T00:00:00Z.
    mutating func moment() -> Int64? {
        guard let days = date(), take("T") || take("t"), let minutes = minuteOfDay(), take(":"),
            let second = number(of: 2), second < 60, let fraction = fraction(), let offset = offset()
        else { return nil }
        let seconds = Int64(days) * 86_400 + Int64(minutes - offset) * 60 + Int64(second)
        return seconds * 1_000_000 + Int64(fraction)
    }

    /// `12:30` as minutes.
    private mutating func minuteOfDay() -> Int? {
        guard let hour = number(of: 2), hour < 24, take(":"), let minute = number(of: 2), minute < 60 else {
            return nil
        }
        return hour * 60 + minute
    }

    /// A point and one to six decimals, as microseconds; 0 if there is none.
    private mutating func fraction() -> Int? {
        guard take(".") else { return 0 }
        let digits = rest.prefix(while: \.isDigit)
        guard (1...6).contains(digits.count), var value = number(of: digits.count) else { return nil }
        for _ in digits.count..<6 { value *= 10 }
        return value
    }

    /// Minutes by which local time is ahead of UTC.
    private mutating func offset() -> Int? {
        if take("Z") || take("z") { return 0 }
        let isNegative = take("-")
        guard isNegative || take("+"), let minutes = minuteOfDay() else { return nil }
        return isNegative ? -minutes : minutes
    }

    private mutating func take(_ character: Unicode.Scalar) -> Bool {
        guard let first = rest.first, UInt32(first) == character.value else { return false }
        rest.removeFirst()
        return true
    }

    /// A number of exactly `count` digits.
    private mutating func number(of count: Int) -> Int? {
        let digits = rest.prefix(count)
        guard digits.count == count, digits.allSatisfy(\.isDigit) else { return nil }
        rest.removeFirst(count)
        return digits.reduce(0) { $0 * 10 + Int($1 - 0x30) }
    }
}

extension UInt8 {
    /// Whether it is an ASCII digit.
    var isDigit: Bool { self >= 0x30 && self <= 0x39 }
}
