import Formatting
import Testing

struct JSONTextTests {
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

    @Test func `the computed length of a text is the written length`() {
        let texts = (UInt8(0)..<0x80).map { "a\(UnicodeScalar($0))" } + ["", "日本語", "\u{1}\u{2}", "\"\\\n and more"]
        for text in texts {
            let bytes = Array(text.utf8)
            var written: [UInt8] = []
            written.append(jsonString: bytes.span)
            #expect(bytes.span.jsonByteCount == written.count)
        }
    }

    @Test(arguments: ["", "ä", "日本語", "🇨🇭👩‍👩‍👧", "\u{7F}\u{80}\u{2028}\u{10FFFF}", "/"])
    func `leaves UTF-8 unchanged`(text: String) {
        #expect(escaped(text) == text)
    }

    @Test func `leaves bytes that are not UTF-8 unchanged`() {
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

    @Test func `a text is plain unless any of its bytes needs an escape`() {
        let needsEscape = { (byte: UInt8) in byte < 0x20 || byte == 0x22 || byte == 0x5C }
        findMistake(beside: [0xFF, 0x20]) { bytes, byte in bytes.span.isPlainJSON != needsEscape(byte) }
        findMistake(beside: [0x20, 0x7E]) { bytes, byte in
            bytes.span.isPlainASCII != (needsEscape(byte) || byte >= 0x7F)
        }
    }

    @Test(arguments: [[0xFF, 0x20], [0x20, 0x22]] as [[UInt8]])
    func `a text is plain up to the first byte that needs an escape`(others: [UInt8]) {
        findMistake(beside: others) { bytes, _ in
            [0, bytes.count / 2].allSatisfy { start in
                let first = bytes[start...].firstIndex { $0 < 0x20 || $0 == 0x22 || $0 == 0x5C }
                return bytes.span.endOfPlainJSON(from: start) == first ?? bytes.count
            }
        }
    }

    /// Tries every byte at every place of texts of each length; the other places have the bytes of `others` in turn.
    private func findMistake(beside others: [UInt8], _ isRight: ([UInt8], UInt8) -> Bool) {
        for length in 0...40 {
            for position in 0..<length {
                var bytes = (0..<length).map { others[($0 + position) % 2] }
                for byte in UInt8.min...UInt8.max {
                    bytes[position] = byte
                    if isRight(bytes, byte) { continue }
                    Issue.record("byte \(byte) at \(position) of \(length)")
                    return
                }
            }
        }
    }

    @Test func `a string reserves its maximum length`() {
        for text in ["", "a", "\u{1}\u{1}", "plain text of some length", "\"\\", "é"] {
            let bytes = Array(text.utf8)
            let isPlain = bytes.span.isPlainJSON
            var output: [UInt8] = []
            output.append(addingCapacity: bytes.span.jsonByteLimit(isPlain: isPlain)) { span in
                span.append(jsonString: bytes.span, isPlain: isPlain)
            }
            #expect(String(decoding: output, as: UTF8.self) == "\"\(escaped(text))\"")
        }
    }
}
