import Postgres
import Testing

@Suite(.needsServer, .timeLimit(.minutes(1)))
struct RowsTests {
    private func row<Value>(_ sql: String, _ parameters: [Parameter] = [], _ read: (Row) throws -> Value) async throws
        -> Value
    {
        try await withPool { (test) async throws in
            let rows = try await test.pool.query(Statement("row", sql), parameters)
            #expect(rows.count == 1)
            return try read(rows[0])
        }
    }

    @Test func `reads each type`() async throws {
        try await row(
            """
            SELECT 42::int8, (-9223372036854775808)::int8, true, false, 'text'::text, ''::text, NULL::text,
                timestamptz '2024-11-01 12:00:00.123456+00', timestamptz '1969-12-31 23:59:59.999999+00'
            """
        ) { row in
            #expect(try row.int64(0) == 42)
            #expect(try row.int64(1) == .min)
            #expect(try row.bool(2) == true)
            #expect(try row.bool(3) == false)
            #expect(try row.text(4) == "text")
            #expect(try row.text(5) == "")
            #expect(try row.optionalText(5) == "")
            #expect(try row.optionalText(6) == nil)
            #expect(try row.timestampMicroseconds(7) == 1_730_462_400_123_456)
            #expect(try row.timestampMicroseconds(8) == -1)
            let count = try row.withBytes(4) { $0.count }
            #expect(count == 4)
            let none = try row.withBytes(6) { $0.count }
            #expect(none == nil)
            var counts: [Int?] = []
            try row.withBytes(4, 6) { counts = [$0?.count, $1?.count] }
            try row.withBytes(6, 5) { counts += [$0?.count, $1?.count] }
            #expect(counts == [4, nil, nil, 0])
        }
    }

    @Test func `the infinities sort outside every other timestamp`() async throws {
        try await row(
            """
            SELECT timestamptz 'infinity', timestamptz '294276-12-31 23:59:59.999999+00', timestamptz '-infinity',
                NULL::timestamptz
            """
        ) { row in
            let moments = try (0..<4).map { try row.timestampMicroseconds($0) }
            #expect(moments == [.max, .max, .min + 946_684_800_000_000, nil])
        }
    }

    @Test func `a column of another shape is an error that names it`() async throws {
        try await row("SELECT 1::int4, NULL::int8, NULL::text, 'x'::text") { row in
            #expect(throws: DatabaseError.unexpectedResult("column 0 has 4 bytes, not 8")) { try row.int64(0) }
            #expect(throws: DatabaseError.unexpectedResult("column 0 has 4 bytes, not 1")) { try row.bool(0) }
            #expect(throws: DatabaseError.unexpectedResult("column 1 is null")) { try row.int64(1) }
            #expect(throws: DatabaseError.unexpectedResult("column 2 is null")) { try row.text(2) }
            #expect(throws: DatabaseError.unexpectedResult("no column 4")) { try row.text(4) }
            #expect(throws: DatabaseError.unexpectedResult("no column -1")) { try row.optionalText(-1) }
        }
    }

    @Test func `rows outlive their connection, and a missing field is an error even then`() async throws {
        for _ in 0..<20 {
            let rows = try await withPool { test in try await test.pool.query(Statement("one", "SELECT 1::int8")) }
            #expect(try rows[0].int64(0) == 1)
            for column in [1, -1, 1 << 32, Int.max, Int.min] {
                #expect(throws: DatabaseError.unexpectedResult("no column \(column)")) { try rows[0].int64(column) }
            }
        }
    }

    @Test func `returns many rows in order, and none`() async throws {
        try await withPool { (test) async throws in
            let rows = try await test.pool.query(Statement("many", "SELECT generate_series(1, 10000)::int8"))
            #expect(rows.count == 10_000)
            for index in 0..<rows.count { try #require(try rows[index].int64(0) == Int64(index + 1)) }
            let none = try await test.pool.query(Statement("none", "SELECT 1 WHERE false"))
            #expect(none.count == 0 && none.first == nil)
        }
    }

    private static let texts = [
        "", " ", "it's", "\"quoted\"", "back\\slash", "$1; DROP TABLE items; --", "line\nbreak\ttab\r", "äöü ß", "日本語",
        "👩‍👩‍👧🇨🇭", "\u{1}\u{7F}\u{80}\u{FFFD}\u{10FFFF}", "e\u{301}", String(repeating: "é", count: 1 << 19),
    ]

    @Test(arguments: [true, false])
    func `parameters are unchanged by a round trip, prepared or not`(prepares: Bool) async throws {
        let echo = Statement("echo", "SELECT $1::int8, $2::int4::int8, $3::bool, $4::text, $5::text")
        var options = Server.options
        options.prepares = prepares
        try await withPool(statements: [echo], options: always(options)) { (test) async throws in
            for (index, text) in Self.texts.enumerated() {
                let number = [0, 1, -1, Int64.max, .min][index % 5]
                let small = [0, 1, -1, Int32.max, .min][index % 5]
                let rows = try await test.pool.query(
                    echo, [.int64(number), .int32(small), .bool(index % 2 == 0), .text(text), .null])
                let row = rows[0]
                #expect(try row.int64(0) == number)
                #expect(try row.int64(1) == Int64(small))
                #expect(try row.bool(2) == (index % 2 == 0))
                let isSame = try row.text(3).utf8.elementsEqual(text.utf8)
                #expect(isSame, "text \(index)")
                #expect(try row.optionalText(4) == nil)
            }
            let prepared = try await test.pool.query(
                Statement("count", "SELECT count(*) FROM pg_prepared_statements WHERE name = 'echo'"))
            #expect(try prepared[0].int64(0) == (prepares ? 1 : 0))
            let setting = try await test.pool.query(Statement("limit", "SELECT current_setting('statement_timeout')"))
            #expect(try setting[0].text(0) == (prepares ? "5s" : "0"))
        }
    }

    @Test func `the server refuses U+0000`() async throws {
        try await withPool { (test) async throws in
            let error = await failure { () throws(DatabaseError) in
                try await test.pool.query(Statement("nul", "SELECT $1::text"), [.text("a\0b")])
            }
            #expect(error?.sqlState == "22021")
            #expect(error?.errorClass == .data)
        }
    }

    @Test func `traps at a row out of range`() async {
        await #expect(processExitsWith: .failure) {
            try await withPool { (test) async throws in
                _ = try await test.pool.query(Statement("none", "SELECT 1 WHERE false"))[0]
            }
        }
    }
}
