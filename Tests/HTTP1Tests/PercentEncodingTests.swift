import HTTP1
import Testing

struct PercentEncodingTests {
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
}
