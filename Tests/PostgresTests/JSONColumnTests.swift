import FoundationEssentials
import Postgres
import Testing

@Suite(.needsServer, .timeLimit(.minutes(1)))
struct JSONColumnTests {
    private struct Details: Codable, Equatable {
        struct Part: Codable, Equatable { let name: String }

        var colour: String
        var parts: [Part]
        var amount: ExactDecimal?
        var due: CalendarDate?
        var at: Timestamp?
    }

    private static let details = [
        Details(colour: "", parts: []),
        Details(
            colour: "grün \"日本\" \\ \n", parts: [.init(name: "a"), .init(name: "👩‍👩‍👧")], amount: ExactDecimal("12.30"),
            due: CalendarDate(year: 2024, month: 11, day: 1), at: Timestamp(microsecondsSinceEpoch: -1)),
    ]

    @Test func `a date in jsonb is written as RFC 3339`() async throws {
        struct Due: Codable { let due: Date }
        let echo = Statement("echo", "SELECT $1::jsonb, $1::jsonb ->> 'due'")
        try await withPool(statements: [echo]) { (test) async throws in
            let date = Date(timeIntervalSince1970: 1_730_462_400)
            let row = try await test.pool.query(echo, [.jsonb(Due(due: date))])[0]
            #expect(try row.json(0, as: Due.self).due == date)
            #expect(try row[1] as String == "2024-11-01T12:00:00Z")
        }
    }

    @Test func `text after a date in jsonb is an error that names the member`() async throws {
        struct Due: Codable { let due: Date }
        let select = Statement("select_due", #"SELECT '{"due": "2024-11-01T12:00:00Z and more"}'::jsonb"#)
        try await withPool(statements: [select]) { (test) async throws in
            let row = try await test.pool.query(select)[0]
            #expect(throws: DatabaseError.unexpectedResult("column 0 is no Due at due")) {
                try row.json(0, as: Due.self)
            }
        }
    }

    @Test func `jsonb is any Codable, and null`() async throws {
        let echo = Statement("echo", "SELECT $1::jsonb, $1::jsonb::text::json, $2::jsonb, $1::jsonb ->> 'colour'")
        try await withPool(statements: [echo]) { (test) async throws in
            for details in Self.details {
                let row = try await test.pool.query(echo, [.jsonb(details), .jsonb(nil as Details?)])[0]
                #expect(try row.json(0, as: Details.self) == details)
                #expect(try row.json(0, as: Details?.self) == details)
                #expect(try row.json(1) as Details == details)
                #expect(try row.json(2, as: Details?.self) == nil)
                #expect(throws: DatabaseError.unexpectedResult("column 2 is null")) {
                    try row.json(2, as: Details.self)
                }
                #expect(try row[3] as String == details.colour)
            }
            let scalars = try await test.pool.query(echo, [.jsonb(5), .jsonb(["a": [1, nil]])])[0]
            #expect(try scalars.json(0, as: Int.self) == 5)
            #expect(try scalars.json(2, as: [String: [Int?]].self) == ["a": [1, nil]])
        }
    }

    @Test func `JSON of another shape is an error with the path and without the value`() async throws {
        let rows = try await withPool { test in
            try await test.pool.query(
                Statement(
                    "json",
                    """
                    SELECT '{"colour": "secret"}'::jsonb, '{"colour": "", "parts": [{"name": "a"}, {"name": 7}]}'::jsonb,
                        '[]'::json, 'null'::jsonb, '{}'::text, '"x"'::jsonb
                    """))
        }
        let row = rows[0]
        let expected = [
            "column 0 is no Details at parts", "column 1 is no Details at parts[1].name", "column 2 is no Details",
            "column 3 is null", "column 4 is text, not jsonb", "column 5 is no Details", "no column 6",
        ]
        for (column, what) in expected.enumerated() {
            #expect(throws: DatabaseError.unexpectedResult(what)) { try row.json(column, as: Details.self) }
        }
        #expect(try row.json(3, as: Details?.self) == nil)
    }

    @Test func `a value that JSON cannot express is an error, here or at the server`() async throws {
        #expect(throws: EncodingError.self) { try Parameter.jsonb([Double.infinity]) }
        try await withPool { (test) async throws in
            let parameter = try Parameter.jsonb("a\0b")
            let error = await failure { () throws(DatabaseError) in
                try await test.pool.query(Statement("nul", "SELECT $1::jsonb"), [parameter])
            }
            #expect(error?.errorClass == .data)
        }
    }
}
