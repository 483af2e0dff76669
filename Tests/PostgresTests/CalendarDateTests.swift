import FoundationEssentials
import Testing

@testable import Postgres

struct CalendarDateTests {
    @Test(arguments: ["2024-11-01", "0001-01-01", "9999-12-31", "2024-02-29", "2000-02-29"])
    func `a date is read and written`(text: String) {
        #expect(CalendarDate(text)?.description == text)
    }

    @Test(arguments: [
        "", "2024-11-1", "2024-1-01", "24-11-01", "2024-11-01 ", " 2024-11-01", "2024-11-31", "2023-02-29",
        "1900-02-29",
        "2024-00-10", "2024-13-01", "2024-01-00", "2024-01-32", "0000-01-01", "-001-01-01", "12024-11-01", "20241101",
        "2024-11-01T00:00:00Z", "２024-11-01", "infinity", "2024/11/01", "+024-11-01",
    ])
    func `refuses text that is not a date`(text: String) {
        #expect(CalendarDate(text) == nil)
    }

    @Test func `has year, month and day`() throws {
        let date = try #require(CalendarDate(year: 2024, month: 11, day: 1))
        #expect(date.daysSinceEpoch == 20_028)
        #expect((date.year, date.month, date.day) == (2024, 11, 1))
        #expect(CalendarDate(daysSinceEpoch: 20_028) == date)
        #expect(try date < #require(CalendarDate(year: 2024, month: 11, day: 2)))
        #expect(CalendarDate(year: 2024, month: 11, day: 31) == nil)
        #expect(CalendarDate(year: .max, month: .max, day: .max) == nil)
        #expect(CalendarDate(year: .min, month: .min, day: .min) == nil)
    }

    @Test func `has PostgreSQL's range`() {
        #expect(CalendarDate(daysSinceEpoch: -2_440_588)?.description == "4714-11-24 BC")
        #expect(CalendarDate(daysSinceEpoch: 2_145_042_905)?.description == "5874897-12-31")
        for days in [-2_440_589, 2_145_042_906, .max, .min] { #expect(CalendarDate(daysSinceEpoch: days) == nil) }
        for days in [.min + 1, .max - 1, -2_451_546, 2_145_031_949] as [Int32] {
            var bytes: [UInt8] = []
            Parameter.int32(days).append(to: &bytes)
            #expect(throws: ColumnError.invalid("is no date")) { try CalendarDate(binary: bytes.span) }
        }
    }

    @Test func `is a string of ten characters in JSON`() throws {
        let date = try #require(CalendarDate(year: 2024, month: 11, day: 1))
        #expect(String(decoding: try JSONEncoder().encode([date]), as: UTF8.self) == #"["2024-11-01"]"#)
        #expect(try JSONDecoder().decode([CalendarDate].self, from: Data(#"["2024-11-01"]"#.utf8)) == [date])
        #expect(throws: DecodingError.self) {
            try JSONDecoder().decode([CalendarDate].self, from: Data(#"["2024-02-30"]"#.utf8))
        }
        for year in [0, 10_000] {
            let date = try #require(CalendarDate(year: year, month: 1, day: 1))
            #expect(throws: EncodingError.self) { try JSONEncoder().encode([date]) }
        }
    }

    @Test(.needsServer, .timeLimit(.minutes(1)))
    func `the server accepts and returns the same text over its whole range`() async throws {
        // Steps of about two months over the first 12,000 years, then several dates per century.
        let days =
            Array(stride(from: -2_440_588, to: 2_000_000, by: 61))
            + Array(stride(from: 2_000_000, through: 2_145_042_905, by: 99_991))
        let dates = try days.map { try #require(CalendarDate(daysSinceEpoch: $0)) }
        let rows = try await withPool(preparing: "SET DateStyle = 'ISO'") { test in
            try await test.pool.query(
                Statement("dates", "SELECT d, d::text FROM unnest($1::date[]) AS d"), [.value(dates)], rows: dates.count
            )
        }
        #expect(rows.count == dates.count)
        for (index, date) in dates.enumerated() {
            try #require(try rows[index][0] as CalendarDate == date)
            try #require(try rows[index][1] as String == date.description)
            try #require(CalendarDate(year: date.year, month: date.month, day: date.day) == date)
        }
    }
}
