import Postgres
import Testing
import Vial

@testable import Chassis

struct DecimalRuleTests {
    private func read(_ text: String, allowsNegative: Bool = true) throws -> String {
        try DecimalRule.decimal(characters: 8, allowsNegative: allowsNegative).read(.string(text)).description
    }

    @Test(arguments: ["0", "12.30", "12345678", "0.123456", "-12.5"]) func `keeps a number as it is written`(
        text: String
    ) throws {
        #expect(try read(text) == text)
    }

    @Test(arguments: [
        "", ".5", "5.", "+5", "--5", "-", "1e3", "1,5", "NaN", "Infinity", "-Infinity", "1.2.3", "123456789",
    ])
    func `refuses other spellings`(text: String) {
        #expect(throws: InputFault.self) { try read(text) }
    }

    @Test func `refuses a negative number where none is allowed`() throws {
        #expect(throws: InputFault.self) { try read("-1", allowsNegative: false) }
        #expect(try read("1", allowsNegative: false) == "1")
    }

    @Test func `refuses a number that is no string`() {
        #expect(throws: InputFault.self) { try DecimalRule.decimal(characters: 8).read(.null) }
        #expect(throws: InputFault.self) { try DecimalRule.decimal(characters: 8).read(nil) }
    }
}

struct TimestampRuleTests {
    @Test func `reads a moment as RFC 3339 has it`() throws {
        let rule = TimestampRule()
        #expect(try rule.read(.string("2024-11-01T13:30:00.25+01:30")).description == "2024-11-01T12:00:00.250000Z")
        #expect(throws: InputFault.self) { try rule.read(.string("2024-11-01")) }
        #expect(throws: InputFault.self) { try rule.read(nil) }
        #expect(rule.example.description == "2024-11-01T12:00:00.000000Z")
    }
}
