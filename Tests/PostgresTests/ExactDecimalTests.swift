import FoundationEssentials
import Testing

@testable import Postgres

struct ExactDecimalTests {
    @Test(arguments: [
        ("0", "0"), ("12.30", "12.30"), ("-12.30", "-12.30"), ("+7", "7"), ("007.50", "7.50"), (".5", "0.5"),
        ("-.5", "-0.5"), ("5.", "5"), ("-0", "0"), ("-0.00", "0.00"), ("00", "0"), ("NaN", "NaN"),
        ("Infinity", "Infinity"), ("-Infinity", "-Infinity"),
    ])
    func `a number keeps its digits`(text: String, expected: String) {
        #expect(ExactDecimal(text)?.description == expected)
    }

    @Test(arguments: [
        "", "-", "+", ".", "-.", "1e5", " 1", "1 ", "1,5", "1.2.3", "--1", "+-1", "0x1", "１", "nan", "inf", "1_000",
        "1\0",
    ])
    func `refuses text that is not a decimal number`(text: String) {
        #expect(ExactDecimal(text) == nil)
    }

    @Test func `accepts as many digits as PostgreSQL`() {
        let (whole, fraction) = (String(repeating: "9", count: 131_072), String(repeating: "9", count: 16_383))
        #expect(ExactDecimal("-\(whole).\(fraction)")?.description == "-\(whole).\(fraction)")
        #expect(ExactDecimal("000\(whole)")?.description == whole)
        #expect(ExactDecimal("1\(whole)") == nil)
        #expect(ExactDecimal("0.\(fraction)0") == nil)
    }

    @Test func `an integer is a decimal number`() {
        #expect(ExactDecimal(Int64.min).description == "-9223372036854775808")
        #expect(ExactDecimal(0 as UInt8) == ExactDecimal("0"))
    }

    @Test func `trailing zeros are significant`() {
        #expect(ExactDecimal("12.30") != ExactDecimal("12.3"))
    }

    @Test func `reports sign and finiteness`() throws {
        for (text, isFinite, isNegative) in [
            ("1", true, false), ("-1", true, true), ("NaN", false, false), ("Infinity", false, false),
            ("-Infinity", false, true), ("-0", true, false),
        ] {
            let number = try #require(ExactDecimal(text))
            #expect(number.isFinite == isFinite && number.isNegative == isNegative, "\(text)")
        }
    }

    @Test func `is a string in JSON`() throws {
        let number = try #require(ExactDecimal("12.30"))
        #expect(String(decoding: try JSONEncoder().encode([number]), as: UTF8.self) == #"["12.30"]"#)
        #expect(try JSONDecoder().decode([ExactDecimal].self, from: Data(#"["12.30"]"#.utf8)) == [number])
        for json in ["[12.30]", "[\"x\"]", "[null]", "[\"1e5\"]"] {
            #expect(throws: DecodingError.self) {
                try JSONDecoder().decode([ExactDecimal].self, from: Data(json.utf8))
            }
        }
    }

    @Test(
        arguments: [
            ("0", [0, 0, 0, 0, 0, 0, 0, 0]), ("0.00", [0, 0, 0, 0, 0, 0, 0, 2]), ("1", [0, 1, 0, 0, 0, 0, 0, 0, 0, 1]),
            ("-12.30", [0, 2, 0, 0, 0x40, 0, 0, 2, 0, 12, 0x0B, 0xB8]),
            ("10000", [0, 1, 0, 1, 0, 0, 0, 0, 0, 1]), ("0.00001", [0, 1, 255, 254, 0, 0, 0, 5, 0x03, 0xE8]),
            ("NaN", [0, 0, 0, 0, 0xC0, 0, 0, 0]), ("Infinity", [0, 0, 0, 0, 0xD0, 0, 0, 0]),
            ("-Infinity", [0, 0, 0, 0, 0xF0, 0, 0, 0]),
        ] as [(String, [UInt8])])
    func `has PostgreSQL's binary format`(text: String, bytes: [UInt8]) throws {
        let number = try #require(ExactDecimal(text))
        #expect(number.parameter == .bytes(bytes))
        #expect(try ExactDecimal(binary: bytes.span) == number)
    }

    @Test(
        arguments: [
            // Truncated, too long, a group of 10,000, an unknown sign, and too many digits after the point.
            [], [0, 0, 0, 0, 0, 0, 0], [0, 1, 0, 0, 0, 0, 0, 0], [0, 0, 0, 0, 0, 0, 0, 0, 0],
            [0, 1, 0, 0, 0, 0, 0, 0, 0x27, 0x10], [0, 0, 0, 0, 0x80, 0, 0, 0], [0, 0, 0, 0, 0, 0, 0x40, 0],
        ] as [[UInt8]])
    func `other bytes are an error`(bytes: [UInt8]) {
        #expect(throws: ColumnError.invalid("is no numeric")) { try ExactDecimal(binary: bytes.span) }
    }

    @Test func `omits groups that are 0 or beyond the scale, like the server`() throws {
        // 5 with a leading group of 0, and 0.1234 at scale 1.
        #expect(try ExactDecimal(binary: [0, 2, 0, 1, 0, 0, 0, 0, 0, 0, 0, 5].span).description == "5")
        #expect(try ExactDecimal(binary: [0, 1, 0, 0, 0x40, 0, 0, 1, 0, 0].span).description == "0.0")
        #expect(try ExactDecimal(binary: [0, 1, 255, 255, 0, 0, 0, 1, 0x04, 0xD2].span).description == "0.1")
        #expect(try ExactDecimal(binary: [0, 0, 0x7F, 0xFF, 0, 0, 0, 0].span).description == "0")
        #expect(try ExactDecimal(binary: [0, 1, 0x80, 0, 0, 0, 0, 1, 0, 1].span).description == "0.0")
    }

    @Test(.needsServer, .timeLimit(.minutes(1)))
    func `the server accepts and returns the same text for every length and scale`() async throws {
        var generator = SeededGenerator(state: 2)
        let texts = (0..<2000).map { _ in
            let sign = Bool.random(using: &generator) ? "-" : ""
            let (whole, scale) = (Int.random(in: 1...24, using: &generator), Int.random(in: 0...24, using: &generator))
            let digits = (0..<whole + scale).map { _ in
                Bool.random(using: &generator) ? "0" : "\(Int.random(in: 1...9, using: &generator))"
            }
            return sign + digits[..<whole].joined() + (scale > 0 ? "." : "") + digits[whole...].joined()
        }
        let numbers = try texts.map { try #require(ExactDecimal($0)) }
        let rows = try await withPool { test in
            try await test.pool.query(
                Statement(
                    "numbers",
                    "SELECT s::numeric, s::numeric::text, n::text FROM unnest($1::text[], $2::numeric[]) AS _ (s, n)"),
                [.value(texts), .value(numbers)], rows: texts.count)
        }
        #expect(rows.count == texts.count)
        for (index, number) in numbers.enumerated() {
            let row = rows[index]
            try #require(try row[0] as ExactDecimal == number)
            try #require(try row[1] as String == number.description)
            try #require(try row[2] as String == number.description)
        }
    }
}
