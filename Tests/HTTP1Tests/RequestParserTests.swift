import HTTP1
import Testing

struct RequestParserTests {
    static let valid = [
        "GET /api/items/123 HTTP/1.1\r\nHost: 127.0.0.1:5001\r\n\r\n",
        "\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n",
        "GET / HTTP/1.0\r\n\r\n",
        "GET /a%2Fb/%e4?x=%zz&y=?/ HTTP/1.1\r\nhost:a\r\nX:\r\nY: \t \r\n\r\n",
        "OPTIONS * HTTP/1.1\r\nHost: [::1]:80\r\n\r\n",
        "GET http://Example.com?q HTTP/1.1\r\nHost: example.COM\r\n\r\n",
        "GET https://a:1/b HTTP/1.1\r\nHost: a:1\r\n\r\n",
        "POST /api/items HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nExpect: 100-Continue\r\n\r\n",
        "PUT /x HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nConnection: close, x\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a\r\nUser-Agent: \u{E9}\ta b  \t\r\nAccept: a\r\nAccept: b\r\n\r\n",
    ]

    @Test(arguments: valid) func `is incomplete until the blank line arrives`(wire: String) throws {
        let bytes = Array(wire.utf8)
        for cut in 0..<bytes.count { #expect(parse(Array(bytes[..<cut])) == .incomplete, "first \(cut) bytes") }
        guard case .complete(let head, let count) = parse(bytes) else {
            Issue.record("not complete")
            return
        }
        #expect(count == bytes.count)
        #expect(head.bytes == bytes)
    }

    @Test(arguments: valid) func `returns the same head on any split`(wire: String) {
        let bytes = Array(wire.utf8)
        let whole = parse(bytes)
        for cut in 0...bytes.count { #expect(parse(bytes, cuts: [cut]) == whole, "split at \(cut)") }
        #expect(parse(bytes, cuts: 0..<bytes.count) == whole, "byte by byte")
    }

    @Test func `uses the bytes of one message only`() throws {
        let wire = Array("GET /1 HTTP/1.1\r\nHost: a\r\n\r\n\r\nGET /2 HTTP/1.0\r\n\r\nGET".utf8)
        var parser = RequestParser(limits: Limits())
        var head = RequestHead()
        #expect(!parser.hasBegun)
        let first = try #require(try parser.parse(wire.span, into: &head))
        #expect(first == 28 && head.pathText == "/1" && head.fields.count == 1 && head.isHTTP11)
        #expect(!parser.hasBegun)
        let rest = wire.span.extracting(first...)
        let second = try #require(try parser.parse(rest, into: &head))
        #expect(second == 21 && head.pathText == "/2" && head.fields.isEmpty && !head.isHTTP11)
        #expect(try parser.parse(rest.extracting(second...), into: &head) == nil)
        #expect(parser.hasBegun)
    }

    @Test func `a reused head keeps nothing of the previous message`() throws {
        var parser = RequestParser(limits: Limits())
        var head = RequestHead()
        for wire in Self.valid + Self.valid.reversed() {
            let bytes = Array(wire.utf8)
            _ = try parser.parse(bytes.span, into: &head)
            guard case .complete(let fresh, _) = parse(bytes) else {
                Issue.record("not complete")
                continue
            }
            #expect(head == fresh)
        }
    }

    @Test func `an empty line before a message is not part of it`() throws {
        var parser = RequestParser(limits: Limits())
        var head = RequestHead()
        let wire = Array("\r\nG".utf8)
        for cut in 0...2 {
            #expect(try parser.parse(wire.span.extracting(0..<cut), into: &head) == nil)
            #expect(!parser.hasBegun)
        }
        #expect(try parser.parse(wire.span, into: &head) == nil)
        #expect(parser.hasBegun)
    }

    @Test func `only one empty line is skipped`() {
        #expect(refusal("\r\n\r\nGET / HTTP/1.1\r\n") == .badMethod)
        #expect(refusal("\nGET / HTTP/1.1\r\n") == .bareLineFeed)
        #expect(refusal("\rGET / HTTP/1.1\r\n") == .bareCarriageReturn)
    }

    @Test func `a well-formed head is complete even if its request is rejected`() throws {
        let cases: [(String, ProtocolError)] = [
            ("Content-Length: 1048577", .bodyTooLarge), ("Expect: tea", .unsupportedExpectation),
        ]
        for (field, error) in cases {
            var parser = RequestParser(limits: Limits())
            var head = RequestHead()
            let wire = Array(request(field, "X-Request-Id: r1").utf8)
            #expect(throws: error) { try parser.parse(wire.span, into: &head) }
            #expect(head.pathText == "/" && head.value("x-request-id") == "r1")
        }
    }

    @Test func `the result for damaged messages does not depend on the split`() {
        var generator = SeededGenerator(state: 1)
        let damage = Array("\r\n\0\t :;,%#?/\u{7F}aZ0[]".utf8) + [0x80, 0xFF, 0x16]
        var refused = 0
        for round in 0..<6000 {
            var wire = Array(Self.valid[round % Self.valid.count].utf8)
            for _ in 0..<Int.random(in: 1...3, using: &generator) {
                let index = Int.random(in: 0..<wire.count, using: &generator)
                let byte = damage.randomElement(using: &generator)!
                switch Int.random(in: 0..<3, using: &generator) {
                case 0: wire[index] = byte
                case 1: wire.insert(byte, at: index)
                default: wire.remove(at: index)
                }
            }
            let whole = parse(wire)
            let pieces = parse(wire, cuts: 0..<wire.count)
            #expect(whole == pieces, "\(String(decoding: wire, as: UTF8.self).debugDescription)")
            if case .refused = whole { refused += 1 }
        }
        #expect(refused > 3000)
    }
}
