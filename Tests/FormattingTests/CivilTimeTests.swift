import Formatting
import Testing

struct CivilTimeTests {
    private static let day = 86_400

    private static func monthLengths(of year: Int) -> [Int] {
        let isLeap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0)
        return [31, isLeap ? 29 : 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31]
    }

    /// 1601-01-01 was a Monday, 134,774 days before the epoch.
    @Test func `agrees with a walk over every day from 1601 to 2400`() {
        var days = -134_774
        var weekday = 1
        for year in 1601...2400 {
            for (month, length) in Self.monthLengths(of: year).enumerated() {
                for day in 1...length {
                    // A second that differs from day to day; on some days the first or the last one.
                    let second = [0, Self.day - 1, (days & 0xFFFF) * 7919 % Self.day][(days & 0xFFFF) % 3]
                    let time = CivilTime(secondsSinceEpoch: days * Self.day + second)
                    guard time.year == year, time.month == month + 1, time.day == day, time.weekday == weekday,
                        time.hour * 3600 + time.minute * 60 + time.second == second, time.minute < 60, time.second < 60
                    else {
                        Issue.record("\(time) is not \(year)-\(month + 1)-\(day), weekday \(weekday), second \(second)")
                        return
                    }
                    guard CivilTime.daysSinceEpoch(year: year, month: month + 1, day: day) == days else {
                        Issue.record("\(year)-\(month + 1)-\(day) is not day \(days)")
                        return
                    }
                    days += 1
                    weekday = (weekday + 1) % 7
                }
            }
        }
    }

    @Test(arguments: [
        (0, "1970-01-01T00:00:00"), (-1, "1969-12-31T23:59:59"), (951_782_399, "2000-02-28T23:59:59"),
        (951_782_400, "2000-02-29T00:00:00"), (951_868_800, "2000-03-01T00:00:00"),
        (1_000_000_000, "2001-09-09T01:46:40"),
        (1_730_462_400, "2024-11-01T12:00:00"), (2_147_483_648, "2038-01-19T03:14:08"),
        (4_107_542_400, "2100-03-01T00:00:00"),
        (-62_135_596_800, "0001-01-01T00:00:00"), (-62_167_219_200, "0000-01-01T00:00:00"),
        (-62_167_219_201, "-0001-12-31T23:59:59"), (253_402_300_799, "9999-12-31T23:59:59"),
        (253_402_300_800, "10000-01-01T00:00:00"),
    ])
    func `knows this instant`(seconds: Int, expected: String) {
        #expect(text { $0.append(dateTime: CivilTime(secondsSinceEpoch: seconds)) } == expected)
    }

    @Test(arguments: [
        (0, 12, 31, -719_163), (-1, 2, 28, -719_835), (-4713, 11, 24, -2_440_588), (5_874_897, 12, 31, 2_145_042_905),
    ])
    func `knows the day of this date`(year: Int, month: Int, day: Int, days: Int) {
        #expect(CivilTime.daysSinceEpoch(year: year, month: month, day: day) == days)
        let time = CivilTime(secondsSinceEpoch: days * Self.day)
        #expect((time.year, time.month, time.day) == (year, month, day))
    }

    @Test(arguments: [
        (2023, 2, 29), (1900, 2, 29), (2024, 2, 30), (2024, 4, 31), (2024, 0, 1), (2024, 13, 1), (2024, 1, 0),
        (2024, 1, 32),
        (Int.max, 1, 1), (Int.min, 1, 1), (2024, Int.max, Int.min),
    ])
    func `the calendar has no such date`(year: Int, month: Int, day: Int) {
        #expect(CivilTime.daysSinceEpoch(year: year, month: month, day: day) == nil)
    }

    @Test func `accepts any number of seconds without a trap`() {
        for seconds in [Int.min, Int.min + 1, Int.max, Int.max - 1] {
            let time = CivilTime(secondsSinceEpoch: seconds)
            #expect((1...12).contains(time.month) && (1...31).contains(time.day) && (0...6).contains(time.weekday))
        }
    }

    @Test(arguments: [
        // The two examples of RFC 9110: §5.6.7 and §8.8.2.
        (784_111_777, "Sun, 06 Nov 1994 08:49:37 GMT"), (784_887_151, "Tue, 15 Nov 1994 08:12:31 GMT"),
        // §6.6.1's example is the former again; §8.8.2's second instant and one of each other weekday:
        (784_903_526, "Tue, 15 Nov 1994 12:45:26 GMT"), (0, "Thu, 01 Jan 1970 00:00:00 GMT"),
        (1_730_462_400, "Fri, 01 Nov 2024 12:00:00 GMT"), (951_782_400, "Tue, 29 Feb 2000 00:00:00 GMT"),
        (1_704_067_199, "Sun, 31 Dec 2023 23:59:59 GMT"), (1_704_067_200, "Mon, 01 Jan 2024 00:00:00 GMT"),
        (1_712_188_800, "Thu, 04 Apr 2024 00:00:00 GMT"), (1_715_212_800, "Thu, 09 May 2024 00:00:00 GMT"),
        (1_718_409_600, "Sat, 15 Jun 2024 00:00:00 GMT"), (1_722_384_000, "Wed, 31 Jul 2024 00:00:00 GMT"),
        (1_724_198_400, "Wed, 21 Aug 2024 00:00:00 GMT"), (1_725_148_800, "Sun, 01 Sep 2024 00:00:00 GMT"),
        (1_728_345_600, "Tue, 08 Oct 2024 00:00:00 GMT"), (1_710_028_800, "Sun, 10 Mar 2024 00:00:00 GMT"),
    ])
    func `writes an IMF-fixdate`(seconds: Int, expected: String) {
        #expect(text { $0.append(imfFixdate: CivilTime(secondsSinceEpoch: seconds)) } == expected)
        #expect(expected.utf8.count == 29)
    }
}
