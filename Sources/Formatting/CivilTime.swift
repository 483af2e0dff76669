/// An instant in UTC, split into its calendar fields; proleptic Gregorian.
public struct CivilTime: Equatable, Sendable {
    public let year: Int
    /// 1…12
    public let month: Int
    /// 1…31
    public let day: Int
    /// 0 is Sunday.
    public let weekday: Int
    public let hour: Int
    public let minute: Int
    public let second: Int

    /// The fields of an instant given in whole seconds since 1970-01-01T00:00:00Z; may be negative.
    public init(secondsSinceEpoch seconds: Int) {
        var (days, secondOfDay) = seconds.quotientAndRemainder(dividingBy: 86_400)
        if secondOfDay < 0 {
            days -= 1
            secondOfDay += 86_400
        }
        (year, month, day) = Self.date(daysSinceEpoch: days)
        weekday = ((days + 4) % 7 + 7) % 7
        hour = secondOfDay / 3600
        minute = secondOfDay / 60 % 60
        second = secondOfDay % 60
    }

    /// The date that is so many days after 1970-01-01, or before it.
    static func date(daysSinceEpoch days: Int) -> (year: Int, month: Int, day: Int) {
        // Years are counted from 1 March, so that the leap day is the last day of its year; an era is 400 years.
        let shifted = days + 719_468
        let era = (shifted >= 0 ? shifted : shifted - 146_096) / 146_097
        let dayOfEra = shifted - era * 146_097
        let yearOfEra = (dayOfEra - dayOfEra / 1460 + dayOfEra / 36_524 - dayOfEra / 146_096) / 365
        let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
        let monthFromMarch = (5 * dayOfYear + 2) / 153
        let day = dayOfYear - (153 * monthFromMarch + 2) / 5 + 1
        let month = monthFromMarch < 10 ? monthFromMarch + 3 : monthFromMarch - 9
        return (yearOfEra + era * 400 + (month <= 2 ? 1 : 0), month, day)
    }
}

extension CivilTime {
    /// Days from 1970-01-01 to a date, negative before it; nil when the calendar has no such date.
    ///
    /// - Parameter year: the year before 1 is 0; nil beyond ten million years.
    public static func daysSinceEpoch(year: Int, month: Int, day: Int) -> Int? {
        guard (-10_000_000...10_000_000).contains(year), (1...12).contains(month), (1...31).contains(day) else {
            return nil
        }
        // The inverse of `init`.
        let shifted = month > 2 ? year : year - 1
        let era = (shifted >= 0 ? shifted : shifted - 399) / 400
        let yearOfEra = shifted - era * 400
        let dayOfYear = (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1
        let days = era * 146_097 + yearOfEra * 365 + yearOfEra / 4 - yearOfEra / 100 + dayOfYear - 719_468
        // A day that its month does not have would be a day of the next month.
        return date(daysSinceEpoch: days).day == day ? days : nil
    }
}

extension [UInt8] {
    /// Appends `2024-11-01T12:00:00`: RFC 3339 without fraction and zone.
    public mutating func append(dateTime time: CivilTime) {
        append(date: time)
        append(0x54)
        append(timeOfDay: time)
    }

    /// Appends `2024-11-01`.
    public mutating func append(date time: CivilTime) {
        append(decimal: time.year, width: 4)
        append(0x2D)
        append(decimal: time.month, width: 2)
        append(0x2D)
        append(decimal: time.day, width: 2)
    }

    /// Appends `Fri, 01 Nov 2024 12:00:00 GMT`: an IMF-fixdate, RFC 9110 §5.6.7; 29 bytes.
    public mutating func append(imfFixdate time: CivilTime) {
        append(name: time.weekday, of: "SunMonTueWedThuFriSat")
        append(literal: ", ")
        append(decimal: time.day, width: 2)
        append(0x20)
        append(name: time.month - 1, of: "JanFebMarAprMayJunJulAugSepOctNovDec")
        append(0x20)
        append(decimal: time.year, width: 4)
        append(0x20)
        append(timeOfDay: time)
        append(literal: " GMT")
    }

    private mutating func append(timeOfDay time: CivilTime) {
        append(decimal: time.hour, width: 2)
        append(0x3A)
        append(decimal: time.minute, width: 2)
        append(0x3A)
        append(decimal: time.second, width: 2)
    }

    /// Appends the three letters of entry `index` in a run of three-letter names.
    private mutating func append(name index: Int, of names: String) {
        append(contentsOf: names.utf8.dropFirst(index * 3).prefix(3))
    }
}
