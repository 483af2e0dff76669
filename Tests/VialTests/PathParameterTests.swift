import FoundationEssentials
import Testing

@testable import Vial

struct PathParameterTests {
    private func number(_ segment: String) -> Int64? {
        Int64(segment: Array(segment.utf8).span)
    }

    @Test func `reads whole numbers`() {
        #expect(number("0") == 0)
        #expect(number("7") == 7)
        #expect(number("9223372036854775807") == .max)
        #expect(number("-1") == -1)
        #expect(number("-10") == -10)
        #expect(number("-9223372036854775808") == .min)
    }

    @Test(arguments: [
        "", "-", "-0", "-01", "--1", "-9223372036854775809", "-10000000000000000000", "1-", "+1", "00", "01", "1 ",
        " 1", "1.0", "1e3", "0x1", "x", "٣", "9223372036854775808",
        "9999999999999999999",
        "10000000000000000000", "18446744073709551617", "1\u{0}",
    ])
    func `rejects other spellings of numbers, so that each has one path`(segment: String) {
        #expect(number(segment) == nil)
    }

    @Test func `accepts any UTF-8 as text`() {
        #expect(String(segment: Array("ä/ ".utf8).span) == "ä/ ")
        #expect(String(segment: [0xC3].span) == nil)
    }

    @Test func `reads a UUID in either case, in paths and in queries`() throws {
        let text = "8e03978e-40d5-43dd-bc93-6894a57f9324"
        for spelling in [text, text.uppercased()] {
            #expect(UUID(segment: Array(spelling.utf8).span) == UUID(uuidString: text))
            #expect(UUID(queryValue: spelling) == UUID(uuidString: text))
        }
        for other in [
            "{\(text)}", String(text.dropLast()), text + "0", "", "8e03978e40d543ddbc936894a57f9324",
        ] {
            #expect(UUID(segment: Array(other.utf8).span) == nil, "\(other)")
            #expect(UUID(queryValue: other) == nil, "\(other)")
        }
    }
}
