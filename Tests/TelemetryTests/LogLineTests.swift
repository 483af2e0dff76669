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

    @Test func `escapes what JSON does not take as it is`() {
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

    @Test(arguments: [[0xFF], [0xC3], [0xE2, 0x82], [0xC0, 0xAF], [0xED, 0xA0, 0x80], [0xF4, 0x90, 0x80, 0x80]])
    func `turns what is not UTF-8 into replacement characters`(invalid: [UInt8]) {
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

    @Test(arguments: 0..<4) func `cuts no character in two`(shift: Int) {
        let long = String(repeating: "x", count: shift) + String(repeating: "😀", count: 400)
        let bytes = lineBytes { $0.field("path", utf8: Array(long.utf8).span) }
        let text = String(validating: bytes, as: UTF8.self)
        #expect(text?.contains("😀…\"") == true)
        #expect(text?.contains("\u{FFFD}") == false)
    }

    @Test func `cuts bytes that have no boundary`() {
        let text = line { $0.field("path", utf8: [UInt8](repeating: 0x80, count: 2000).span) }
        #expect(text.contains("\u{FFFD}…\""))
    }

    @Test func `leaves out the fields that do not fit and says so`() {
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

    @Test func `reads levels as they are configured`() {
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
        LogLine.append(
            to: &bytes, level: .info, message: "Request completed".utf8.span, stamp: &stamp, seconds: 1_730_462_400,
            nanoseconds: 123_456_789, tail: tail ?? self.tail, fields)
        return bytes
    }
}
