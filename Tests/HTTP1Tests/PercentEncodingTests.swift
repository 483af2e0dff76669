import Testing

@testable import HTTP1

struct PercentEncodingTests {
    private func isPlain(_ raw: [UInt8]) -> Bool { PercentEncoding.standsForItself(raw.span) }

    @Test func `decodes once`() throws {
        #expect(try PercentEncoding.decodeSegment("a%2Fb%20%c3%A9%2541+".utf8.span) == "a/b \u{E9}%41+")
        #expect(try PercentEncoding.decodeSegment("".utf8.span) == "")
    }

    @Test func `a plus is a space in a query only`() throws {
        #expect(try PercentEncoding.decodeQueryComponent("a+b%2B".utf8.span) == "a b+")
        #expect(try PercentEncoding.decodeSegment("a+b%2B".utf8.span) == "a+b+")
    }

    @Test(arguments: [
        ("%", ProtocolError.invalidPercentEncoding), ("a%4", .invalidPercentEncoding), ("%g1", .invalidPercentEncoding),
        ("%1g", .invalidPercentEncoding), ("%+1", .invalidPercentEncoding), ("%00", .encodedNull),
        ("%ff", .invalidUTF8),
        ("%c0%80", .invalidUTF8), ("%ed%a0%80", .invalidUTF8),
    ])
    func `refuses`(raw: String, error: ProtocolError) {
        #expect(throws: error) { try PercentEncoding.decodeSegment(raw.utf8.span) }
        #expect(throws: error) { try PercentEncoding.decodeQueryComponent(raw.utf8.span) }
    }

    // Text without a percent or plus is not decoded byte by byte.
    @Test(arguments: ["", "a", "abc-._~!$&'()*,;=:@", "/", "é", "日本😀"])
    func `leaves literal bytes unchanged`(raw: String) throws {
        #expect(isPlain(Array(raw.utf8)))
        #expect(try PercentEncoding.decodeSegment(raw.utf8.span) == raw)
        #expect(try PercentEncoding.decodeQueryComponent(raw.utf8.span) == raw)
    }

    @Test(arguments: ["%", "+", "a+", "+a", "a%41", "%41a"])
    func `text with a percent or a plus is not literal`(raw: String) {
        #expect(!isPlain(Array(raw.utf8)))
    }

    @Test(arguments: [[0xFF], [0x61, 0xC3], [0xC0, 0x80], [0xED, 0xA0, 0x80]] as [[UInt8]])
    func `rejects literal bytes that are not UTF-8`(raw: [UInt8]) {
        #expect(isPlain(raw))
        #expect(throws: ProtocolError.invalidUTF8) { try PercentEncoding.decodeSegment(raw.span) }
        #expect(throws: ProtocolError.invalidUTF8) { try PercentEncoding.decodeQueryComponent(raw.span) }
    }

    @Test func `a decoded text ends with its last byte, plain or escaped`() throws {
        #expect(try PercentEncoding.decodeSegment("%41b".utf8.span) == "Ab")
        #expect(try PercentEncoding.decodeSegment("b%41".utf8.span) == "bA")
        #expect(try PercentEncoding.decodeSegment("%0A%7f".utf8.span) == "\n\u{7F}")
    }
}
