import Testing

@testable import HTTP1

struct RequestHeadTests {
    /// Reads one message after another into the same head.
    private func head(after messages: [String]) throws -> RequestHead {
        var parser = RequestParser(limits: Limits())
        var head = RequestHead()
        for message in messages {
            let bytes = Array(message.utf8)
            #expect(try parser.parse(bytes.span, into: &head) == bytes.count)
        }
        return head
    }

    private func message(fields: Int, byteCount: Int) -> String {
        let lines = (0..<fields).map { "A\($0): \(String(repeating: "x", count: byteCount))\r\n" }
        return "GET / HTTP/1.1\r\nHost: a\r\n\(lines.joined())\r\n"
    }

    @Test func `the memory of a large head is freed with the next head`() throws {
        let small = message(fields: 0, byteCount: 0)
        let large = message(fields: 100, byteCount: 100)
        #expect(try head(after: [large]).bytes.capacity > Limits.retainedHeadByteLimit)
        let head = try head(after: [large, small])
        #expect(head.bytes.capacity <= Limits.retainedHeadByteLimit)
        #expect(head.fields.entries.count <= Limits.retainedFieldLimit)
    }

    @Test func `the memory of a usual head is reused for the next head`() throws {
        let usual = message(fields: 20, byteCount: 20)
        let head = try head(after: [usual, message(fields: 0, byteCount: 0)])
        #expect(head.bytes.capacity >= usual.utf8.count)
        #expect(head.fields.entries.count == 21)
    }

    @Test func `a repeated field does not count as repeated in the next head`() throws {
        let field = "Content-Type: application/json\r\n"
        let start = "GET / HTTP/1.1\r\nHost: a\r\n"
        #expect(try head(after: [start + field + field + "\r\n"]).fields.isRepeated(.contentType))
        #expect(
            try !head(after: [start + field + field + "\r\n", start + field + "\r\n"]).fields.isRepeated(.contentType))
    }
}
