import Formatting
import Testing

struct JSONWriterTests {
    private func json(_ write: (inout JSONWriter) -> Void) -> String {
        var writer = JSONWriter()
        write(&writer)
        return String(decoding: writer.bytes, as: UTF8.self)
    }

    private func escaped(_ text: String) -> String {
        FormattingTests.text { $0.append(jsonEscaped: text) }
    }

    @Test func `escapes every control character and nothing else below 128 but quote and backslash`() {
        let short: [UInt8: String] = [0x08: "\\b", 0x09: "\\t", 0x0A: "\\n", 0x0C: "\\f", 0x0D: "\\r"]
        for code in UInt8(0)..<0x80 {
            let character = String(UnicodeScalar(code))
            let hex = String(code, radix: 16)
            let expected =
                switch code {
                case 0x22: "\\\""
                case 0x5C: "\\\\"
                case ..<0x20: short[code] ?? "\\u" + String(repeating: "0", count: 4 - hex.count) + hex
                default: character
                }
            #expect(escaped(character) == expected)
            #expect(escaped("a\(character)b") == "a\(expected)b")
            #expect(escaped("\(character)\(character)") == expected + expected)
        }
    }

    @Test(arguments: ["", "ä", "日本語", "🇨🇭👩‍👩‍👧", "\u{7F}\u{80}\u{2028}\u{10FFFF}", "/"])
    func `leaves UTF-8 as it is`(text: String) {
        #expect(escaped(text) == text)
    }

    @Test func `leaves bytes that are not UTF-8 as they are`() {
        let bytes: [UInt8] = [0x61, 0xFF, 0xC3, 0x22, 0x80]
        var output: [UInt8] = []
        output.append(jsonEscaped: bytes.span)
        #expect(output == [0x61, 0xFF, 0xC3, 0x5C, 0x22, 0x80])
    }

    @Test func `escapes at every place of a long run`() {
        let run = String(repeating: "x", count: 300)
        for position in [0, 1, 15, 16, 17, 63, 64, 299, 300] {
            let before = run.prefix(position)
            let after = run.dropFirst(position)
            #expect(escaped("\(before)\"\(after)") == "\(before)\\\"\(after)")
        }
        let many = String(repeating: "\\\"\n", count: 10_000)
        #expect(escaped(many) == String(repeating: "\\\\\\\"\\n", count: 10_000))
        let long = String(repeating: "é", count: 100_000)
        #expect(escaped(long) == long)
    }

    @Test func `writes each kind of value`() {
        #expect(json { $0.null() } == "null")
        #expect(json { $0.value(true) } == "true")
        #expect(json { $0.value(false) } == "false")
        #expect(json { $0.value(Int64.min) } == "-9223372036854775808")
        #expect(json { $0.value(0) } == "0")
        #expect(json { $0.value(millisecondsOf: 412_345) } == "0.412")
        #expect(json { $0.value("a\"b") } == #""a\"b""#)
        #expect(json { $0.value("") } == #""""#)
        #expect(json { $0.value(String?.none) } == "null")
        #expect(json { $0.value(String?.some("a")) } == #""a""#)
        #expect(json { $0.value(utf8: Array("é\n".utf8).span) } == #""é\n""#)
        #expect(json { $0.value(timestampMicroseconds: -1) } == #""1969-12-31T23:59:59.999999Z""#)
    }

    @Test func `places commas between members, elements and nothing else`() {
        let text = json { json in
            json.beginObject()
            json.key("a")
            json.value(1)
            json.key("b")
            json.beginArray()
            json.endArray()
            json.key("c")
            json.beginArray()
            json.beginObject()
            json.endObject()
            json.beginObject()
            json.key("d")
            json.null()
            json.endObject()
            json.beginArray()
            json.value(true)
            json.value("x")
            json.value(millisecondsOf: 0)
            json.value(utf8: Array("y".utf8).span)
            json.value(timestampMicroseconds: 0)
            json.endArray()
            json.null()
            json.endArray()
            json.key("e")
            json.beginObject()
            json.endObject()
            json.endObject()
        }
        #expect(
            text == """
                {"a":1,"b":[],"c":[{},{"d":null},[true,"x",0.000,"y","1970-01-01T00:00:00.000000Z"],null],"e":{}}
                """)
    }

    @Test func `nests as deep as it is asked to`() {
        let text = json { json in
            for _ in 0..<1000 { json.beginArray() }
            for _ in 0..<1000 { json.endArray() }
        }
        #expect(text == String(repeating: "[", count: 1000) + String(repeating: "]", count: 1000))
    }

    @Test func `goes on after bytes that are there`() {
        var writer = JSONWriter(appendingTo: Array("data: ".utf8))
        writer.beginArray()
        writer.value(1)
        writer.value(2)
        writer.endArray()
        #expect(String(decoding: writer.bytes, as: UTF8.self) == "data: [1,2]")
        #expect(JSONWriter(reserving: 100).bytes.isEmpty)
    }
}
