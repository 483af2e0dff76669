import HTTP1
import Testing

private let commonFields = Array("Server: items\r\nDate: Fri, 01 Nov 2024 12:00:00 GMT".utf8)

struct ResponseEncoderTests {
    private func encode(
        _ status: Int, reason: String? = nil, contentType: StaticString? = nil, fields: ResponseFields = .init(),
        requestID: String = "", entityTag: String = "", contentLength: Int? = nil,
        persistence: ResponseEncoder.Persistence = .keepAlive,
        body: [UInt8] = []
    ) -> String {
        var out: [UInt8] = []
        let requestID = Array(requestID.utf8)
        let entityTag = Array(entityTag.utf8)
        ResponseEncoder.encode(
            status: status, reason: reason, contentType: contentType, fields: fields, commonFields: commonFields.span,
            requestID: requestID.span, entityTag: entityTag.span, contentLength: contentLength,
            persistence: persistence, body: body.span,
            into: &out)
        return String(decoding: out, as: UTF8.self)
    }

    @Test func `writes a whole head`() throws {
        var fields = ResponseFields()
        try fields.append("ETag", "\"1\"")
        fields.append(literal: "Cache-Control", "no-store")
        let head = encode(
            200, contentType: "application/json", fields: fields, requestID: "r-1", contentLength: 42)
        #expect(
            head == """
                HTTP/1.1 200 OK\r
                Server: items\r
                Date: Fri, 01 Nov 2024 12:00:00 GMT\r
                X-Request-Id: r-1\r
                Content-Type: application/json\r
                ETag: "1"\r
                Cache-Control: no-store\r
                Content-Length: 42\r
                \r\n
                """)
    }

    @Test func `writes the unchanged body after the head`() {
        let text = encode(200, contentLength: 5, body: Array("hello".utf8))
        #expect(text.hasSuffix("Content-Length: 5\r\n\r\nhello"))
        #expect(encode(200, contentLength: 5).hasSuffix("Content-Length: 5\r\n\r\n"))
    }

    @Test func `writes only the fields that are given`() {
        let rest = "\r\nServer: items\r\nDate: Fri, 01 Nov 2024 12:00:00 GMT\r\n"
        #expect(encode(304) == "HTTP/1.1 304 Not Modified\(rest)\r\n")
        #expect(encode(200, contentLength: 0) == "HTTP/1.1 200 OK\(rest)Content-Length: 0\r\n\r\n")
        #expect(encode(204, contentLength: 0) == "HTTP/1.1 204 No Content\(rest)\r\n")
        #expect(encode(204, persistence: .close) == "HTTP/1.1 204 No Content\(rest)Connection: close\r\n\r\n")
        #expect(
            encode(204, persistence: .keepAliveHTTP10) == "HTTP/1.1 204 No Content\(rest)Connection: keep-alive\r\n\r\n"
        )
        #expect(encode(418) == "HTTP/1.1 418 \(rest)\r\n")
        #expect(encode(200, reason: "Fine") == "HTTP/1.1 200 Fine\(rest)\r\n")
    }

    @Test func `writes an entity tag before the given fields`() throws {
        var fields = ResponseFields()
        fields.append(literal: "Vary", "Origin")
        let head = encode(304, fields: fields, entityTag: "W/\"1\"")
        #expect(head.hasSuffix("GMT\r\nETag: W/\"1\"\r\nVary: Origin\r\n\r\n"))
    }

    @Test func `has a phrase for every error status`() {
        for error in ProtocolError.allCases {
            #expect(!encode(error.status).hasPrefix("HTTP/1.1 \(error.status) \r\n"))
        }
    }

    @Test func `appends to existing bytes`() {
        var out = Array("before ".utf8)
        ResponseEncoder.encodeContinue(into: &out)
        #expect(String(decoding: out, as: UTF8.self) == "before HTTP/1.1 100 Continue\r\n\r\n")
    }

    @Test func `traps on a value that would split the response`() async {
        await #expect(processExitsWith: .failure) {
            var out: [UInt8] = []
            ResponseEncoder.encode(
                status: 200, reason: "OK\r\nX: y", contentType: nil, fields: ResponseFields(),
                commonFields: "Server: items\r\nDate: Fri, 01 Nov 2024 12:00:00 GMT".utf8.span, requestID: "".utf8.span,
                contentLength: nil,
                persistence: .close, body: "".utf8.span, into: &out)
        }
        await #expect(processExitsWith: .failure) {
            var out: [UInt8] = []
            let requestID = Array("a\nb".utf8)
            ResponseEncoder.encode(
                status: 200, reason: nil, contentType: nil, fields: ResponseFields(),
                commonFields: "Server: items\r\nDate: Fri, 01 Nov 2024 12:00:00 GMT".utf8.span,
                requestID: requestID.span,
                contentLength: nil, persistence: .close, body: "".utf8.span, into: &out)
        }
        await #expect(processExitsWith: .failure) {
            var out: [UInt8] = []
            let entityTag = Array("\"a\r\n\"".utf8)
            ResponseEncoder.encode(
                status: 200, reason: nil, contentType: nil, fields: ResponseFields(),
                commonFields: "Server: items\r\nDate: Fri, 01 Nov 2024 12:00:00 GMT".utf8.span, requestID: "".utf8.span,
                entityTag: entityTag.span, contentLength: nil, persistence: .close, body: "".utf8.span, into: &out)
        }
        await #expect(processExitsWith: .failure) {
            var fields = ResponseFields()
            fields.append(literal: "Bad Name", "x")
        }
    }
}
