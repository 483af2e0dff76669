import Testing

@testable import Telemetry

struct LogLineTests {
    @Test func `writes one flat object with the tail at its end`() {
        let text = line { line in
            line.field("method", "GET")
            line.field("path", utf8: Array("/api/items".utf8).span)
            line.field("status", 200)
            line.field("response_time_ms", milliseconds: 412_345)
            line.field("reused", true)
        }
        #expect(
            text == """
                {"timestamp":"2024-11-01T12:00:00.123Z","level":"INFO","msg":"Request completed","method":"GET",\
                "path":"/api/items","status":200,"response_time_ms":0.412,"reused":true,\
                "instance_id":"i-1","environment":"prod"}

                """)
    }

    @Test func `escapes what JSON requires`() {
        let text = line { $0.field("user_agent", utf8: Array("a\"b\\c\n\u{1}".utf8).span) }
        #expect(text.contains(#""user_agent":"a\"b\\c\n\u0001","#))
    }

    @Test func `keeps text beyond ASCII`() {
        let text = line { line in
            line.field("path", utf8: Array("/größe \"€\" 😀".utf8).span)
            line.field("name", "größe")
        }
        #expect(text.contains(#""path":"/größe \"€\" 😀","name":"größe","#))
    }

    /// Characters that a terminal interprets, that some readers treat as a line end, or that change the direction of
    /// text.
    static let hidden: [(character: String, escape: String)] = [
        ("\u{7F}", #"\u007f"#), ("\u{80}", #"\u0080"#), ("\u{85}", #"\u0085"#), ("\u{9B}", #"\u009b"#),
        ("\u{9F}", #"\u009f"#),
        ("\u{AD}", #"\u00ad"#), ("\u{61C}", #"\u061c"#), ("\u{180E}", #"\u180e"#), ("\u{200B}", #"\u200b"#),
        ("\u{200E}", #"\u200e"#),
        ("\u{200F}", #"\u200f"#), ("\u{2028}", #"\u2028"#), ("\u{2029}", #"\u2029"#), ("\u{202A}", #"\u202a"#),
        ("\u{202E}", #"\u202e"#),
        ("\u{2060}", #"\u2060"#), ("\u{2066}", #"\u2066"#), ("\u{2069}", #"\u2069"#), ("\u{FEFF}", #"\ufeff"#),
        ("\u{FFF9}", #"\ufff9"#),
        ("\u{1BCA0}", #"\ud82f\udca0"#), ("\u{E0001}", #"\udb40\udc01"#), ("\u{E007F}", #"\udb40\udc7f"#),
    ]

    @Test(arguments: hidden)
    func `escapes characters that are not displayed as they are, in any input form`(character: String, escape: String) {
        for (before, after) in [("", ""), ("curl/8", ""), ("", "x"), ("ä", "日"), ("0123456", "89\"ABCDEF0123")] {
            let text = before + character + after
            let written = line { line in
                line.field("user_agent", utf8: Array(text.utf8).span)
                line.field("error", text)
                line.field(named: "metadata", text)
            }
            let quoted = "\"\(before)\(escape)\(after.replacing("\"", with: "\\\""))\""
            #expect(written.contains("\"user_agent\":\(quoted),\"error\":\(quoted),\"metadata\":\(quoted),"))
            #expect(written.unicodeScalars.count { $0 == character.unicodeScalars.first } == 0)
        }
        let tail = LogTail(["environment": character])
        #expect(
            String(decoding: lineBytes(tail: tail) { _ in }, as: UTF8.self).contains("\"environment\":\"\(escape)\"}"))
    }

    // Includes the neighbours of escaped characters.
    @Test(arguments: [
        "\u{7E}", "\u{A0}", "\u{AC}", "\u{AE}", "\u{300}", "\u{61B}", "\u{2010}", "\u{2027}", "\u{202F}", "\u{2065}",
        "\u{3000}",
        "\u{FE0F}", "\u{FFFC}", "\u{FFFD}", "\u{E000}", "\u{1F600}", "\u{E0100}", "\u{10FFFF}",
    ])
    func `leaves every other character unchanged`(character: String) {
        #expect(line { $0.field("error", "a\(character)b") }.contains("\"a\(character)b\""))
    }

    @Test func `no line has an invisible byte, for any input`() throws {
        var generator = SystemRandomNumberGenerator()
        let alphabet =
            Self.hidden.map { Array($0.character.utf8) } + [[0x80], [0xC2], [0xE2, 0x80], [0x1B], [0x0A], [0x41]]
        for _ in 0..<500 {
            let value = (0..<Int.random(in: 0...400, using: &generator)).flatMap { _ in
                alphabet.randomElement(using: &generator) ?? []
            }
            let bytes = lineBytes { $0.field("path", utf8: value.span) }
            let text = try #require(String(validating: bytes.dropLast(), as: UTF8.self))
            let isHidden = { (scalar: Unicode.Scalar) in
                [.control, .format, .lineSeparator, .paragraphSeparator].contains(scalar.properties.generalCategory)
            }
            #expect(!text.unicodeScalars.contains(where: isHidden))
        }
    }

    @Test func `a value of the longest escapes fits`() {
        let longest = String(repeating: "\u{E0001}", count: 300)
        let text = line { $0.field("path", longest) }
        #expect(text.contains(String(repeating: #"\udb40\udc01"#, count: 255) + "…\""))
        let deleted = String(repeating: "\u{7F}", count: LogLine.valueByteLimit)
        #expect(line { $0.field("path", deleted) }.contains("\"" + String(repeating: #"\u007f"#, count: 1024) + "\""))
    }

    @Test(arguments: [[0xFF], [0xC3], [0xE2, 0x82], [0xC0, 0xAF], [0xED, 0xA0, 0x80], [0xF4, 0x90, 0x80, 0x80]])
    func `replaces invalid UTF-8 by replacement characters`(invalid: [UInt8]) {
        let bytes = lineBytes { $0.field("path", utf8: (Array("/a".utf8) + invalid + Array("b".utf8)).span) }
        let text = String(validating: bytes, as: UTF8.self)
        #expect(text?.contains("/a\u{FFFD}") == true)
        #expect(text?.contains("\u{FFFD}b\"") == true)
    }

    @Test func `leaves a value at the limit whole and marks a longer one`() {
        let whole = String(repeating: "x", count: LogLine.valueByteLimit)
        #expect(line { $0.field("path", whole) }.contains("\"\(whole)\""))
        let cut = whole.dropLast(3) + "…"
        #expect(line { $0.field("path", whole + "x") }.contains("\"\(cut)\""))
        #expect(line { $0.field("path", utf8: Array((whole + "x").utf8).span) }.contains("\"\(cut)\""))
    }

    @Test(arguments: 0..<4) func `does not split a character`(shift: Int) {
        let long = String(repeating: "x", count: shift) + String(repeating: "😀", count: 400)
        let bytes = lineBytes { $0.field("path", utf8: Array(long.utf8).span) }
        let text = String(validating: bytes, as: UTF8.self)
        #expect(text?.contains("😀…\"") == true)
        #expect(text?.contains("\u{FFFD}") == false)
    }

    @Test func `truncates bytes without character boundaries`() {
        let text = line { $0.field("path", utf8: [UInt8](repeating: 0x80, count: 2000).span) }
        #expect(text.contains("\u{FFFD}…\""))
    }

    @Test func `omits fields that do not fit and says so`() {
        let worst = [UInt8](repeating: 1, count: 5000)
        let bytes = lineBytes { line in
            line.field("first", utf8: worst.span)
            line.field("second", utf8: worst.span)
            line.field("status", 200)
        }
        let text = String(decoding: bytes, as: UTF8.self)
        #expect(bytes.count <= LogLine.byteLimit)
        #expect(text.contains("\"first\""))
        #expect(!text.contains("\"second\""))
        #expect(!text.contains("\"status\""))
        #expect(text.hasSuffix("\\u0001…\",\"instance_id\":\"i-1\",\"environment\":\"prod\",\"truncated\":true}\n"))
    }

    @Test func `never grows past its limit`() {
        let long = String(repeating: "\u{1}", count: 5000)
        let tail = LogTail(["a": long, "instance_id": "i-1", "c": String(repeating: "x", count: 900)])
        for count in 0..<12 {
            let bytes = lineBytes(tail: tail) { line in
                for _ in 0..<count { line.field("field", String(repeating: "x", count: 700)) }
            }
            #expect(bytes.count <= LogLine.byteLimit)
            #expect(bytes.suffix(2) == Array("}\n".utf8))
        }
    }

    @Test func `renders a new second and keeps the old one`() {
        var stamp = LogStamp()
        var bytes: [UInt8] = []
        bytes.append(addingCapacity: 96) { output in
            stamp.append(to: &output, seconds: 0, nanoseconds: 0)
            stamp.append(to: &output, seconds: 1_730_462_400, nanoseconds: 7_999_999)
            stamp.append(to: &output, seconds: 1_730_462_400, nanoseconds: 999_999_999)
            stamp.append(to: &output, seconds: 1_730_462_401, nanoseconds: 0)
        }
        #expect(
            String(decoding: bytes, as: UTF8.self)
                == "1970-01-01T00:00:00.000Z2024-11-01T12:00:00.007Z2024-11-01T12:00:00.999Z2024-11-01T12:00:01.000Z")
    }

    @Test func `parses the configured levels`() {
        #expect(LogLevel.allCases.map { LogLevel(rawValue: $0.rawValue) } == LogLevel.allCases)
        #expect(LogLevel(rawValue: "verbose") == nil)
        #expect(LogLevel.allCases.map(\.name.description) == ["DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL"])
        #expect(LogLevel.allCases.sorted() == LogLevel.allCases)
    }

    private let tail = LogTail(["instance_id": "i-1", "environment": "prod"])

    private func line(_ fields: (inout LogLine) -> Void) -> String {
        String(decoding: lineBytes(fields), as: UTF8.self)
    }

    private func lineBytes(tail: LogTail? = nil, _ fields: (inout LogLine) -> Void) -> [UInt8] {
        var stamp = LogStamp()
        var bytes: [UInt8] = []
        let tail = (tail ?? self.tail).bytes
        LogLine.append(
            to: &bytes, level: .info, message: "Request completed".utf8.span, stamp: &stamp, seconds: 1_730_462_400,
            nanoseconds: 123_456_789, tail: tail.span, fields)
        return bytes
    }
}
