import Glibc
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

    private func threadNanoseconds() -> Int {
        var time = timespec()
        // A local that outlives the call.
        unsafe clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time)
        return time.tv_sec * 1_000_000_000 + time.tv_nsec
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
    func `accepts JSON`(text: String) {
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
        ("\"\\udc00\\udc00\"", "invalid escape in a string at line 1, column 2"),
        ("\"\\ud800\\ud800\"", "invalid escape in a string at line 1, column 2"),
        ("\"\\ud800\\n\"", "invalid escape in a string at line 1, column 2"),
        ("\"\\ud800\\u0041\"", "invalid escape in a string at line 1, column 2"),
        ("{\"a\":1,\"b\":2,\"a\":3}", "a name is repeated in an object at line 1, column 14"),
        (#"{"a":1,"\u0061":2}"#, "a name is repeated in an object at line 1, column 8"),
        (#"{"\u0061":1,"a":2}"#, "a name is repeated in an object at line 1, column 13"),
        (#"{"\u006E":1,"\u006e":2}"#, "a name is repeated in an object at line 1, column 13"),
        (#"{"a\/b":1,"a/b":2}"#, "a name is repeated in an object at line 1, column 11"),
        (#"{"\n":1,"\u000a":2}"#, "a name is repeated in an object at line 1, column 9"),
        (#"{"\ud83d\uDE00":1,"😀":2}"#, "a name is repeated in an object at line 1, column 19"),
        (#"{"":1,"a":2,"":3}"#, "a name is repeated in an object at line 1, column 13"),
        (#"[0,{"a":[{"b":{"x":1,"\u0078":2}}]}]"#, "a name is repeated in an object at line 1, column 22"),
    ])
    func `reports what is wrong, and where`(text: String, what: String) {
        #expect(description(text) == what)
    }

    @Test func `reports where invalid UTF-8 begins`() {
        #expect(fault([0x22, 0x61, 0xFF, 0x22]) == .init(reason: .notUTF8, offset: 2))
        #expect(fault([0x22, 0xED, 0xA0, 0x80, 0x22])?.reason == .notUTF8)
        // UTF-16, which some decoders detect.
        #expect(fault([0x5B, 0x00, 0x5D, 0x00]) == .init(reason: .unexpectedCharacter, offset: 1))
    }

    @Test func `limits depth and number of members`() {
        #expect(fault(Array(repeating: UInt8(ascii: "["), count: 1_000_000)) == .init(reason: .tooDeep, offset: 64))
        let objects = String(repeating: "{\"a\":", count: 65)
        #expect(fault(Array(objects.utf8))?.reason == .tooDeep)
        let members = (0...256).map { "\"\($0)\":0" }
        #expect(fault(Array("{\(members.dropLast().joined(separator: ","))}".utf8)) == nil)
        #expect(fault(Array("{\(members.joined(separator: ","))}".utf8))?.reason == .tooManyMembers)
    }

    // RFC 8259 §8.3: names are compared unescaped and code unit by code unit, without normalisation or folding of case.
    @Test(arguments: [
        #"{"a":1,"\\u0061":2}"#, #"{"a":1,"A":2,"a ":3}"#, #"{"\u00e9":1,"e\u0301":2}"#, #"{"a":{"a":1},"b":{"a":1}}"#,
        #"{"a\u0000":1,"a":2,"a\u0000b":3}"#, #"{"\b":1,"b":2,"\f":3,"f":4,"\t":5,"t":6,"\r":7,"r":8,"\n":9,"n":0}"#,
    ])
    func `names with different characters are different`(text: String) {
        #expect(description(text) == nil)
    }

    @Test(arguments: [2, 3, 8, 9, 10, 64, 256])
    func `finds a repeated name among any number of names`(count: Int) throws {
        let names = (0..<count).map { "\"name \($0)\":0" }
        #expect(fault(Array("{\(names.joined(separator: ","))}".utf8)) == nil)
        for repeated in Set([0, 1, count / 2, count - 2]) where repeated < count - 1 {
            for spelling in ["\"name \(repeated)\"", "\"n\\u0061me \(repeated)\""] {
                let text = "{" + (names.dropLast() + ["\(spelling):0"]).joined(separator: ",") + "}"
                let offset = text.utf8.count - spelling.utf8.count - 3
                #expect(fault(Array(text.utf8)) == .init(reason: .repeatedName, offset: offset))
            }
        }
    }

    @Test func `too many names are refused at the first above the limit`() {
        let members = (0..<10_000).map { "\"\($0)\":0" }
        let allowed = members.prefix(JSONSyntax.memberLimit).joined(separator: ",")
        let text = Array("{\(members.joined(separator: ","))}".utf8)
        #expect(fault(text) == .init(reason: .tooManyMembers, offset: allowed.utf8.count + 2))
    }

    // Compared in pairs, 250 names of 4 KB that differ at their end would take far longer than the rest of the text.
    @Test func `comparing long names with equal beginnings takes linear time`() {
        let stem = String(repeating: "n", count: 4000)
        let names = (0..<250).map { "\(stem)\($0)" }
        let object = Array("{\(names.map { "\"\($0)\":0" }.joined(separator: ","))}".utf8)
        let array = Array("[\(names.map { "\"\($0)\",0" }.joined(separator: ","))]".utf8)
        // CPU time of the thread, so that other work on the machine does not count.
        func shortest(_ text: [UInt8]) -> Int {
            (0..<5).map { _ in
                let start = threadNanoseconds()
                #expect(fault(text) == nil)
                return threadNanoseconds() - start
            }.min() ?? 0
        }
        #expect(shortest(object) < shortest(array) * 4)
    }

    @Test func `every prefix of a text ends too early`() {
        let text = Array(#"{"a":[1.5e3,true,null,"\u00e4\ud83d\ude00"],"b":{}}"#.utf8)
        for end in 1..<text.count { #expect(fault(Array(text[..<end])) == .init(reason: .endsEarly, offset: end)) }
        #expect(fault(text) == nil)
    }
}
