import FoundationEssentials
import Postgres
import Testing

@Suite(.needsServer, .timeLimit(.minutes(1)))
struct ColumnValueTests {
    /// Sends each value to the server and reads it back alone, as text, and in an array; also null, which is nil.
    private func roundTrip<Value: ColumnValue & Equatable>(
        _ type: String, _ values: [(Value, String)], text: String = "$1::text",
        isSame: (Value, Value) -> Bool = { $0 == $1 }
    ) async throws {
        let echo = Statement(
            "echo", "SELECT $1::\(type), \(text.replacing("$1", with: "$1::\(type)")), $2::\(type)")
        try await withPool(statements: [echo], preparing: "SET TimeZone = 'UTC'; SET DateStyle = 'ISO'") {
            (test) async throws in
            for (value, text) in values {
                let row = try await test.pool.query(echo, [.value(value), .value(nil as Value?)])[0]
                let came = try row[0] as Value
                #expect(isSame(came, value), "\(text) came back as \(came)")
                let optional = try row[0] as Value?
                #expect(optional.map { isSame($0, value) } == true)
                #expect(try row[1] as String == text)
                #expect(try row[2] as Value? == nil)
                #expect(throws: DatabaseError.unexpectedResult("column 2 is null")) { try row[2] as Value }
            }
        }
    }

    @Test func `bool is unchanged by a round trip`() async throws {
        try await roundTrip("bool", [(true, "true"), (false, "false")])
    }

    @Test func `int2, int4 and int8 are unchanged by a round trip`() async throws {
        try await roundTrip("int2", [0, 1, -1, 258, .min, .max].map { ($0 as Int16, "\($0)") })
        try await roundTrip("int4", [0, 1, -1, 16_909_060, .min, .max].map { ($0 as Int32, "\($0)") })
        try await roundTrip("int8", [0, 1, -1, 72_623_859_790_382_856, .min, .max].map { ($0 as Int64, "\($0)") })
        try await roundTrip("int8", [0, 1, -1, .min, .max].map { ($0 as Int, "\($0)") })
    }

    @Test func `float8 is unchanged by a round trip`() async throws {
        let numbers: [(Double, String)] = [
            (0, "0"), (-0.0, "-0"), (1.5, "1.5"), (-0.1, "-0.1"), (.infinity, "Infinity"), (-.infinity, "-Infinity"),
            (.nan, "NaN"), (1.7976931348623157e308, "1.7976931348623157e+308"),
            (-.greatestFiniteMagnitude, "-1.7976931348623157e+308"), (.leastNonzeroMagnitude, "5e-324"),
            (.leastNormalMagnitude, "2.2250738585072014e-308"),
        ]
        try await roundTrip("float8", numbers) { first, second in
            first == second && first.sign == second.sign || first.isNaN && second.isNaN
        }
    }

    @Test func `text is unchanged by a round trip`() async throws {
        let texts = [
            "", " ", "it's", "null", "NULL", "{}", "line\nbreak", "äöü ß", "日本語", "👩‍👩‍👧🇨🇭", "e\u{301}", "\u{1}\u{10FFFF}",
            String(repeating: "é", count: 1 << 17),
        ]
        try await roundTrip("text", texts.map { ($0, $0) }) { $0.utf8.elementsEqual($1.utf8) }
        try await roundTrip("varchar", texts.map { ($0, $0) }) { $0.utf8.elementsEqual($1.utf8) }
    }

    @Test func `uuid is unchanged by a round trip`() async throws {
        let texts = [
            "00000000-0000-0000-0000-000000000000", "ffffffff-ffff-ffff-ffff-ffffffffffff",
            "00112233-4455-6677-8899-aabbccddeeff",
        ]
        try await roundTrip("uuid", try texts.map { (try #require(UUID(uuidString: $0)), $0) })
    }

    @Test func `bytea is unchanged by a round trip`() async throws {
        try await roundTrip(
            "bytea",
            [
                ([], "\\x"), ([0], "\\x00"), ([0, 255, 92, 39], "\\x00ff5c27"),
                ([UInt8](repeating: 255, count: 100_000), "\\x" + String(repeating: "ff", count: 100_000)),
            ] as [([UInt8], String)])
    }

    @Test func `numeric is unchanged by a round trip`() async throws {
        let texts = [
            "0", "0.00", "1", "-1", "12.30", "-12.30", "10000", "100000000", "9999", "10001.00010000", "0.0001",
            "0.00001", "-0.000000001000", "123456789012345678901234567890.123456789", "NaN", "Infinity", "-Infinity",
            String(repeating: "9", count: 131_072) + "." + String(repeating: "9", count: 16_383),
            "-1" + String(repeating: "0", count: 131_071), "0." + String(repeating: "0", count: 16_382) + "1",
            "0." + String(repeating: "0", count: 16_383),
        ]
        try await roundTrip("numeric", try texts.map { (try #require(ExactDecimal($0)), $0) })
    }

    @Test func `date is unchanged by a round trip`() async throws {
        let dates = try [
            (1970, 1, 1, "1970-01-01"), (2000, 1, 1, "2000-01-01"), (1999, 12, 31, "1999-12-31"),
            (2024, 2, 29, "2024-02-29"), (1, 1, 1, "0001-01-01"), (0, 12, 31, "0001-12-31 BC"),
            (-43, 3, 15, "0044-03-15 BC"), (9999, 12, 31, "9999-12-31"), (10_000, 1, 1, "10000-01-01"),
            (-4713, 11, 24, "4714-11-24 BC"), (5_874_897, 12, 31, "5874897-12-31"),
        ].map { (try #require(CalendarDate(year: $0, month: $1, day: $2)), $3) }
        try await roundTrip("date", dates)
        for (date, text) in dates { #expect(date.description == text) }
    }

    @Test func `timestamptz is unchanged by a round trip`() async throws {
        let moments: [(Int64, String)] = [
            (0, "1970-01-01T00:00:00.000000Z"), (-1, "1969-12-31T23:59:59.999999Z"),
            (1_730_462_400_123_456, "2024-11-01T12:00:00.123456Z"),
            (-62_135_596_800_000_000, "0001-01-01T00:00:00.000000Z"),
            (-62_135_596_800_000_001, "0001-12-31T23:59:59.999999Z BC"),
            (253_402_300_799_999_999, "9999-12-31T23:59:59.999999Z"),
            (253_402_300_800_000_000, "10000-01-01T00:00:00.000000Z"),
            (-210_866_803_200_000_000, "4714-11-24T00:00:00.000000Z BC"),
            (.max, "294247-01-10T04:00:54.775807Z"),
        ]
        let isBC = "CASE WHEN $1 < '0001-01-01Z' THEN ' BC' ELSE '' END"
        try await roundTrip(
            "timestamptz", moments.map { (Timestamp(microsecondsSinceEpoch: $0), $1) },
            text: "to_char($1, 'YYYY-MM-DD\"T\"HH24:MI:SS.US\"Z\"') || \(isBC)")
        for (moment, text) in moments {
            #expect(Timestamp(microsecondsSinceEpoch: moment).description == text)
        }
    }

    @Test func `arrays are unchanged by a round trip`() async throws {
        try await roundTrip(
            "int8[]",
            [([], "{}"), ([0], "{0}"), ([.min, -1, .max], "{\(Int64.min),-1,\(Int64.max)}")]
                as [([Int64], String)])
        try await roundTrip("int8[]", [([], "{}"), ([1, 2], "{1,2}")] as [([Int], String)])
        try await roundTrip(
            "int8[]", [([], "{}"), ([nil], "{NULL}"), ([1, nil, 3], "{1,NULL,3}")] as [([Int64?], String)])
        try await roundTrip(
            "text[]",
            [([], "{}"), ([""], "{\"\"}"), (["é", "a b", "NULL"], "{é,\"a b\",\"NULL\"}")]
                as [([String], String)])
        try await roundTrip(
            "text[]",
            [([], "{}"), ([nil, nil], "{NULL,NULL}"), (["", nil, "日"], "{\"\",NULL,日}")]
                as [([String?], String)])
        try await roundTrip("int2[]", [([-1, .max], "{-1,32767}")] as [([Int16], String)])
        try await roundTrip("bool[]", [([true, nil], "{t,NULL}")] as [([Bool?], String)])
        let many = Array(0..<100_000 as Range<Int64>)
        try await roundTrip("int8[]", [(many, "{\(many.map(\.description).joined(separator: ","))}")])
        let dates = [CalendarDate(year: 2024, month: 11, day: 1), nil]
        try await roundTrip("date[]", [(dates, "{2024-11-01,NULL}")])
        try await roundTrip("numeric[]", [([ExactDecimal(5), .nan], "{5,NaN}")])
    }

    private enum Mood: String, ColumnValue, ArrayElement { case calm, cross }
    private enum Level: Int32, ColumnValue {
        case low = 1
        case high = 2
    }

    @Test func `an enum is read from text, from the server's enums, and from numbers`() async throws {
        try await roundTrip("text", [(Mood.calm, "calm")])
        try await roundTrip("text[]", [([Mood.calm, .cross], "{calm,cross}")])
        try await roundTrip("int4", [(Level.high, "2")])
        let type = Server.uniqueName()
        try await Server.execute("CREATE TYPE \(type) AS ENUM ('calm', 'cross', 'sad')")
        try await roundTrip(type, [(Mood.cross, "cross")])
        let rows = try await withPool { test in
            try await test.pool.query(
                Statement("moods", "SELECT 'sad'::\(type), 3, ARRAY['calm', NULL]::\(type)[], ARRAY['sad']::\(type)[]"))
        }
        try await Server.execute("DROP TYPE \(type)")
        let row = rows[0]
        #expect(throws: DatabaseError.unexpectedResult("column 0 is none of the values of Mood")) {
            try row[0] as Mood
        }
        #expect(throws: DatabaseError.unexpectedResult("column 1 is none of the values of Level")) {
            try row[1] as Level
        }
        #expect(try row[2] as [Mood?] == [.calm, nil])
        #expect(throws: DatabaseError.unexpectedResult("column 3 is none of the values of Mood")) {
            try row[3] as [Mood]
        }
    }

    @Test func `the type of a column is inferred from its use`() async throws {
        struct Order: Equatable {
            let id: Int
            let amount: ExactDecimal
            let note: String?
        }
        let rows = try await withPool { test in
            try await test.pool.query(
                Statement("order", "SELECT $1::int8, $2::numeric, $3::text"),
                [.value(7), .value(ExactDecimal("12.30")), .value(nil as String?)])
        }
        let order = try Order(id: rows[0][0], amount: rows[0][1], note: rows[0][2])
        #expect(order == Order(id: 7, amount: try #require(ExactDecimal("12.30")), note: nil))
        #expect(try rows[0][2] ?? "none" == "none")
    }

    @Test func `a field of a domain is read as its base type`() async throws {
        let domain = Server.uniqueName()
        try await Server.execute("CREATE DOMAIN \(domain) AS int8 CHECK (VALUE > 0)")
        let rows = try await withPool { test in
            try await test.pool.query(Statement("domain", "SELECT 5::\(domain)"))
        }
        try await Server.execute("DROP DOMAIN \(domain)")
        #expect(try rows[0][0] as Int == 5)
    }
}
