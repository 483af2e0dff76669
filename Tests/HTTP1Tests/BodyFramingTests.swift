import HTTP1
import Testing

struct BodyFramingTests {
    private func framing(_ fields: String...) throws(ProtocolError) -> BodyFraming {
        try head("POST / HTTP/1.1\r\nHost: a\r\n" + fields.map { $0 + "\r\n" }.joined() + "\r\n").framing
    }

    @Test func `a request without framing fields has no body`() throws {
        #expect(try framing() == .none)
        #expect(try framing("Content-Type: text/plain", "TE: chunked", "Trailer: x") == .none)
    }

    @Test func `a length is digits, with leading zeros and surrounding white space`() throws {
        #expect(try framing("Content-Length: 0") == .length(0))
        #expect(try framing("content-length:1048576") == .length(1_048_576))
        #expect(try framing("Content-Length: \t 0000000000000000000000000000007 \t") == .length(7))
    }

    @Test(arguments: [
        "", "+5", "-5", "-0", "0x5", "5a", "a", "5 5", "5,5", "5, 5", "5;", "5.0", "1e3", "\"5\"", "5\t5", "\u{FF15}",
        "9223372036854775808", "99999999999999999999", "18446744073709551621",
    ])
    func `rejects a length that is not a single number`(value: String) {
        #expect(refusal(request("Content-Length: \(value)")) == .invalidContentLength)
    }

    @Test func `rejects a second length, equal or not`() {
        #expect(refusal(request("Content-Length: 5", "Content-Length: 5")) == .repeatedContentLength)
        #expect(refusal(request("Content-Length: 5", "content-length: 6")) == .repeatedContentLength)
    }

    @Test func `rejects both framings, in either order`() {
        #expect(refusal(request("Content-Length: 5", "Transfer-Encoding: chunked")) == .conflictingFraming)
        #expect(refusal(request("Transfer-Encoding: chunked", "Content-Length: 0")) == .conflictingFraming)
    }

    @Test func `chunked is accepted in any case`() throws {
        for coding in ["chunked", "CHUNKED", "Chunked", " chunked \t"] {
            #expect(try framing("Transfer-Encoding:\(coding)") == .chunked)
        }
    }

    @Test(arguments: [
        ("gzip", ProtocolError.unsupportedTransferCoding), ("identity", .unsupportedTransferCoding),
        ("chunke", .unsupportedTransferCoding), ("xchunked", .unsupportedTransferCoding),
        ("", .invalidTransferEncoding), ("gzip, chunked", .invalidTransferEncoding),
        ("chunked, chunked", .invalidTransferEncoding), ("chunked,", .invalidTransferEncoding),
        (",chunked", .invalidTransferEncoding), ("chunked;q=1", .invalidTransferEncoding),
        ("\"chunked\"", .invalidTransferEncoding), ("chun ked", .invalidTransferEncoding),
        ("chunked\u{A0}", .invalidTransferEncoding), ("chunked\u{0B}", .invalidFieldValue),
        ("\u{0C}chunked", .invalidFieldValue),
    ])
    func `rejects any other transfer coding`(value: String, error: ProtocolError) {
        #expect(refusal(request("Transfer-Encoding: \(value)")) == error)
    }

    @Test func `rejects a second Transfer-Encoding, and any in HTTP/1.0`() {
        let field = "Transfer-Encoding: chunked"
        #expect(refusal(request(field, field)) == .repeatedTransferEncoding)
        #expect(refusal("POST / HTTP/1.0\r\n\(field)\r\n\r\n") == .transferEncodingInHTTP10)
        let both = "POST / HTTP/1.0\r\n\(field)\r\nContent-Length: 1\r\n\r\n"
        #expect(refusal(both) == .transferEncodingInHTTP10)
    }

    @Test func `enforces the limit of a body exactly`() {
        let limits = Limits(bodyByteLimit: 10)
        #expect(refusal(request("Content-Length: 9"), limits: limits) == nil)
        #expect(refusal(request("Content-Length: 10"), limits: limits) == nil)
        #expect(refusal(request("Content-Length: 11"), limits: limits) == .bodyTooLarge)
        #expect(refusal(request("Content-Length: 9223372036854775807"), limits: limits) == .bodyTooLarge)
    }

    @Test(arguments: ["GET", "HEAD"])
    func `rejects content where it has no meaning`(method: String) {
        func request(_ fields: String) -> String { "\(method) / HTTP/1.1\r\nHost: a\r\n\(fields)\r\n" }
        #expect(refusal(request("Content-Length: 1\r\n")) == .unexpectedContent)
        #expect(refusal(request("Content-Length: 1048577\r\n")) == .unexpectedContent)
        // Whether a chunked body has content is known only from its first chunk.
        #expect(refusal(request("Transfer-Encoding: chunked\r\n")) == nil)
        #expect(refusal(request("Content-Length: 0\r\n")) == nil && refusal(request("")) == nil)
        #expect(refusal(request("Content-Length: 1\r\n").lowercased().replacing("http", with: "HTTP")) == nil)
    }
}
