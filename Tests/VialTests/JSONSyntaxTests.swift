import Testing

@testable import Vial

struct JSONSyntaxTests {
    private func fault(_ text: [UInt8]) -> JSONSyntax.Fault? {
        do throws(JSONSyntax.Fault) {
            try JSONSyntax.check(text)
            return nil
        } catch {
            return error
        }
    }

    private func description(_ text: String) -> String? {
        fault(Array(text.utf8))?.description(in: Array(text.utf8))
    }

    @Test(arguments: [
        "null", "true", "false", "0", "-0", "10", "-1.5e+10", "0.25E-7", "1e3", "\"\"", "{}", "[]", " [ ] ",
        "\t{\r\n}\n",
        "[1, [2], {\"a\": [3]}]", "{\"a\":1,\"b\":{\"a\":2}}", "{\"\":null}", "\"ä😀\u{7F}\"",
        #""\"\\\/\b\f\n\r\t\u00e4\uD83D\uDE00""#,
        String(repeating: "[", count: 64) + String(repeating: "]", count: 64),
    ])
    func `takes JSON`(text: String) {
        #expect(description(text) == nil)
    }

    @Test(arguments: [
        ("", "it is empty"),
        (" ", "it ends too early at line 1, column 2"),
        ("{\n  \"name\": x\n}", "unexpected character at line 2, column 11"),
        ("{\"ä😀\":}", "unexpected character at line 1, column 7"),
        ("[1,]", "unexpected character at line 1, column 4"),
        ("[,1]", "unexpected character at line 1, column 2"),
        ("[1 2]", "unexpected character at line 1, column 4"),
        ("[1}", "unexpected character at line 1, column 3"),
        ("{\"a\":1,}", "unexpected character at line 1, column 8"),
        ("{\"a\" 1}", "unexpected character at line 1, column 6"),
        ("{\"a\":1]", "unexpected character at line 1, column 7"),
        ("{a:1}", "unexpected character at line 1, column 2"),
        ("{'a':1}", "unexpected character at line 1, column 2"),
        ("{1:1}", "unexpected character at line 1, column 2"),
        ("{} x", "unexpected character at line 1, column 4"),
        ("01", "unexpected character at line 1, column 2"),
        ("+1", "unexpected character at line 1, column 1"),
        (".5", "unexpected character at line 1, column 1"),
        ("1.", "it ends too early at line 1, column 3"),
        ("[1.]", "unexpected character at line 1, column 4"),
        ("-", "it ends too early at line 1, column 2"),
        ("[-]", "unexpected character at line 1, column 3"),
        ("1e", "it ends too early at line 1, column 3"),
        ("1e+x", "unexpected character at line 1, column 4"),
        ("NaN", "unexpected character at line 1, column 1"),
        ("nul", "it ends too early at line 1, column 4"),
        ("trux", "unexpected character at line 1, column 4"),
        ("True", "unexpected character at line 1, column 1"),
        ("// x", "unexpected character at line 1, column 1"),
        ("[1\u{0C}]", "unexpected character at line 1, column 3"),
        ("\u{FEFF}1", "unexpected character at line 1, column 1"),
        ("\"a", "it ends too early at line 1, column 3"),
        ("\"a\n\"", "a control character in a string is not escaped at line 1, column 3"),
        ("\"\\x\"", "invalid escape in a string at line 1, column 3"),
        ("\"\\u00g0\"", "invalid escape in a string at line 1, column 6"),
        ("\"\\ud800\"", "invalid escape in a string at line 1, column 2"),
        ("\"\\udc00\"", "invalid escape in a string at line 1, column 2"),
        ("\"\\ud800\\n\"", "invalid escape in a string at line 1, column 2"),
        ("\"\\ud800\\u0041\"", "invalid escape in a string at line 1, column 2"),
        ("{\"a\":1,\"b\":2,\"a\":3}", "a name is repeated in an object at line 1, column 14"),
    ])
    func `says what is wrong, and where`(text: String, what: String) {
        #expect(description(text) == what)
    }

    @Test func `refuses what is not UTF-8 where that begins`() {
        #expect(fault([0x22, 0x61, 0xFF, 0x22]) == .init(reason: .notUTF8, offset: 2))
        #expect(fault([0x22, 0xED, 0xA0, 0x80, 0x22])?.reason == .notUTF8)
        // UTF-16, which some decoders guess.
        #expect(fault([0x5B, 0x00, 0x5D, 0x00]) == .init(reason: .unexpectedCharacter, offset: 1))
    }

    @Test func `bounds the depth and the members`() {
        #expect(fault(Array(repeating: UInt8(ascii: "["), count: 1_000_000)) == .init(reason: .tooDeep, offset: 64))
        let objects = String(repeating: "{\"a\":", count: 65)
        #expect(fault(Array(objects.utf8))?.reason == .tooDeep)
        let members = (0...256).map { "\"\($0)\":0" }
        #expect(fault(Array("{\(members.dropLast().joined(separator: ","))}".utf8)) == nil)
        #expect(fault(Array("{\(members.joined(separator: ","))}".utf8))?.reason == .tooManyMembers)
    }

    @Test func `every prefix of a text ends too early`() {
        let text = Array(#"{"a":[1.5e3,true,null,"\u00e4\ud83d\ude00"],"b":{}}"#.utf8)
        for end in 1..<text.count { #expect(fault(Array(text[..<end])) == .init(reason: .endsEarly, offset: end)) }
        #expect(fault(text) == nil)
    }
}
