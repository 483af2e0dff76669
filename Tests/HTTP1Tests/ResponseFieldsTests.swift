import HTTP1
import Testing

struct ResponseFieldsTests {
    @Test func `finds values in any case`() throws {
        var fields = ResponseFields()
        #expect(fields.isEmpty && fields.value("a") == nil)
        try fields.append("Link", "<b>; rel=\"next\"")
        try fields.append("Empty", "")
        try fields.append("link", "second")
        #expect(
            fields.value("LINK") == "<b>; rel=\"next\"" && fields.value("empty") == "" && fields.value("Lin") == nil)
        #expect(
            String(decoding: fields.bytes, as: UTF8.self) == "Link: <b>; rel=\"next\"\r\nEmpty: \r\nlink: second\r\n")
    }

    @Test func `accepts values as bytes`() throws {
        var fields = ResponseFields()
        try fields.append(literal: "ETag", utf8: "\"7\"".utf8.span)
        #expect(fields.value("etag") == "\"7\"")
        #expect(throws: FieldError.invalidValue) { try fields.append(literal: "A", utf8: "a\nb".utf8.span) }
        #expect(throws: FieldError.reservedName) { try fields.append(literal: "Date", utf8: "x".utf8.span) }
    }

    @Test func `rejects every control character in a value except the tab`() throws {
        for control in (0x00...0x1F).map(UInt8.init) + [0x7F] {
            var fields = ResponseFields()
            let value = "0123456789" + String(UnicodeScalar(control)) + "x"
            if control == 0x09 {
                try fields.append("A", value)
            } else {
                #expect(throws: FieldError.invalidValue) { try fields.append("A", value) }
                #expect(fields.isEmpty)
            }
        }
    }

    @Test(arguments: ["", "A B", "A:", "A\r\n", "\u{E9}"]) func `rejects a name that is not a token`(name: String) {
        var fields = ResponseFields()
        #expect(throws: FieldError.invalidName) { try fields.append(name, "x") }
    }

    @Test(arguments: ["Content-Length", "transfer-encoding", "CONNECTION", "Date", "server", "X-Request-ID"])
    func `rejects the names that the encoder writes`(name: String) {
        var fields = ResponseFields()
        #expect(throws: FieldError.reservedName) { try fields.append(name, "1") }
    }

    @Test func `enforces its limit exactly`() throws {
        let room = Limits.responseFieldByteLimit - 5
        for extra in [-1, 0] {
            var fields = ResponseFields()
            try fields.append("A", String(repeating: "x", count: room + extra))
        }
        var fields = ResponseFields()
        #expect(throws: FieldError.tooLong) { try fields.append("A", String(repeating: "x", count: room + 1)) }
    }
}
