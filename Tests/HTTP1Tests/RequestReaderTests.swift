import HTTP1
import Testing

struct RequestReaderTests {
    /// Every framing, one after another on one connection.
    static let messages: [(wire: String, path: String, body: String)] = [
        ("GET /none HTTP/1.1\r\nHost: a\r\n\r\n", "/none", ""),
        ("POST /length HTTP/1.1\r\nHost: a\r\nContent-Length: 11\r\n\r\nhello world", "/length", "hello world"),
        ("\r\nPOST /zero HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n", "/zero", ""),
        (
            "PUT /chunks HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
                + "5\r\nhello\r\n006;x=\"y \"\r\n world\r\n0\r\nTrailer: t\r\n\r\n",
            "/chunks", "hello world"
        ),
        ("PUT /empty HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", "/empty", ""),
        ("POST /old HTTP/1.0\r\nContent-Length: 3\r\n\r\nabc", "/old", "abc"),
        ("GET http://a HTTP/1.1\r\nHost: a\r\n\r\n", "", ""),
    ]
    static let wire = messages.flatMap { Array($0.wire.utf8) }

    @Test func `reads pipelined messages of every framing`() throws {
        let record = read(Self.wire)
        #expect(record.refusal == nil)
        #expect(record.messages.map { $0.head.pathText } == Self.messages.map(\.path))
        #expect(record.messages.map { String(decoding: $0.body, as: UTF8.self) } == Self.messages.map(\.body))
        var end = 0
        for (message, expected) in zip(record.messages, Self.messages) {
            end += expected.wire.utf8.count
            #expect(message.end == end)
        }
        #expect(record.state == .idle)
    }

    @Test func `returns the same messages on every split in two`() {
        let whole = read(Self.wire)
        for cut in 0...Self.wire.count { #expect(read(Self.wire, cuts: [cut]) == whole, "split at \(cut)") }
    }

    @Test func `returns the same messages byte by byte`() {
        #expect(read(Self.wire, cuts: Array(0...Self.wire.count)) == read(Self.wire))
    }

    @Test(arguments: [
        "G\u{1}", "GET / HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n", "GET / HTTP/2.0\r\n\r\n",
        "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhelloX",
        "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\nxyz\r\n",
        "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1048577\r\n\r\n",
    ])
    func `rejects malformed bytes at the same place on every split, after the valid messages before them`(bad: String) {
        let good = "POST /good HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nok"
        let wire = Array((good + bad).utf8)
        let whole = read(wire)
        #expect(whole.refusal != nil)
        #expect(whole.messages.first?.head.pathText == "/good")
        for cut in 0...wire.count { #expect(read(wire, cuts: [cut]) == whole, "split at \(cut)") }
        #expect(read(wire, cuts: Array(0...wire.count)) == whole)
    }

    @Test(arguments: ["GET", "HEAD"])
    func `an empty chunked body is no content`(method: String) throws {
        for end in ["0\r\n\r\n", "000;x=\"y\"\r\n\r\n", "0\r\nTrailer: t\r\n\r\n"] {
            let first = "\(method) /a HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n\(end)"
            let wire = Array((first + "GET /b HTTP/1.1\r\nHost: a\r\n\r\n").utf8)
            let whole = read(wire)
            #expect(whole.refusal == nil)
            #expect(whole.messages.map { $0.head.pathText } == ["/a", "/b"])
            #expect(whole.messages.allSatisfy { $0.body.isEmpty })
            for cut in 0...wire.count { #expect(read(wire, cuts: [cut]) == whole, "split at \(cut)") }
        }
    }

    @Test(arguments: ["GET", "HEAD"])
    func `a chunk is content and is rejected with its size`(method: String) {
        let head = "\(method) / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
        for chunk in ["1\r\n", "0001;x\r\n", "fffffffffffffff\r\n"] {
            let wire = Array((head + chunk).utf8)
            #expect(read(wire).refusal == .unexpectedContent)
            #expect(read(wire, cuts: Array(0...wire.count)) == read(wire))
        }
        #expect(read(Array((head + "1").utf8)).refusal == nil)
        #expect(read(Array((head + "1 ").utf8)).refusal == .invalidChunkSize)
    }

    @Test func `needs the whole head again, but each byte of a body once`() throws {
        var reader = RequestReader(limits: Limits())
        var head = RequestHead()
        var body: [UInt8] = []
        let wire = Array("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\nbody".utf8)
        #expect(try reader.read(wire.span.extracting(0..<0), head: &head, body: &body) == .incomplete(used: 0))
        #expect(reader.state == .idle)
        #expect(try reader.read(wire.span.extracting(0..<20), head: &head, body: &body) == .incomplete(used: 0))
        #expect(reader.state == .head && !reader.expectsBody)
        let end = wire.count - 4
        #expect(try reader.read(wire.span.extracting(0..<end), head: &head, body: &body) == .head(used: end))
        #expect(reader.state == .body(remaining: 4) && reader.expectsBody)
        #expect(
            try reader.read(wire.span.extracting(end..<(end + 3)), head: &head, body: &body) == .incomplete(used: 3))
        #expect(reader.state == .body(remaining: 1))
        #expect(
            try reader.read(wire.span.extracting((end + 3)...), head: &head, body: &body) == .complete(used: 1))
        #expect(reader.state == .idle && !reader.expectsBody && body == Array("body".utf8))
    }

    @Test func `reports that a body is expected while chunks are read`() throws {
        var reader = RequestReader(limits: Limits())
        var head = RequestHead()
        var body: [UInt8] = []
        let wire = Array("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n".utf8)
        #expect(try reader.read(wire.span, head: &head, body: &body) == .head(used: wire.count))
        #expect(reader.state == .chunks && reader.expectsBody)
    }

    /// The results of a stream whose first body is dropped.
    private struct Dropped: Equatable {
        var bodyEnd: Int?
        var body: [UInt8] = []
        var paths: [String] = []
        var refusal: ProtocolError?
    }

    private func readDropping(_ wire: [UInt8], cuts: [Int] = [], limits: Limits = Limits()) -> Dropped {
        var reader = RequestReader(limits: limits)
        var head = RequestHead()
        var record = Dropped()
        var used = 0
        for cut in cuts + [wire.count] {
            var isIncomplete = cut < used
            while !isIncomplete {
                do {
                    switch try reader.read(wire.span.extracting(used..<cut), head: &head, body: &record.body) {
                    case .incomplete(let count):
                        used += count
                        isIncomplete = true
                    case .head(let count):
                        used += count
                        record.paths.append(head.pathText)
                        if record.bodyEnd == nil { reader.dropBody(of: head) }
                    case .complete(let count):
                        used += count
                        record.bodyEnd = record.bodyEnd ?? used
                    }
                } catch .bodyTooLarge where !reader.expectsBody {
                    used += head.bytes.count
                    record.paths.append(head.pathText)
                    reader.dropBody(of: head)
                } catch {
                    record.refusal = error
                    return record
                }
            }
        }
        return record
    }

    @Test(
        arguments: [
            "Content-Length: 11\r\n\r\nhello world",
            "Transfer-Encoding: chunked\r\n\r\nb\r\nhello world\r\n0\r\nA: b\r\n\r\n",
        ], [5, 1000])
    func `a dropped body ends at its declared end, even above the limit`(body: String, limit: Int) {
        let message = Array("POST /a HTTP/1.1\r\nHost: a\r\n\(body)".utf8)
        let wire = message + Array("POST /b HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nok".utf8)
        let limits = Limits(bodyByteLimit: limit)
        let expected = Dropped(bodyEnd: message.count, body: Array("ok".utf8), paths: ["/a", "/b"])
        #expect(readDropping(wire, limits: limits) == expected)
        for cut in 0...wire.count {
            #expect(readDropping(wire, cuts: [cut], limits: limits) == expected, "split at \(cut)")
        }
        #expect(readDropping(wire, cuts: Array(0...wire.count), limits: limits) == expected)
    }

    @Test(arguments: [
        ("10000\r\n", nil), ("10001\r\n", ProtocolError.bodyTooLarge), ("5\r\nhelloX", .invalidChunkTerminator),
    ])
    func `dropped chunks are checked like others, except for the limit`(
        chunks: String, refusal: ProtocolError?
    ) {
        let wire = Array("POST /a HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n\(chunks)".utf8)
        for limit in [10, 1_048_576] {
            #expect(readDropping(wire, limits: Limits(bodyByteLimit: limit)).refusal == refusal)
        }
    }
}

/// The results of reading a connection's bytes.
private struct Record: Equatable {
    struct Message: Equatable {
        var head: RequestHead
        var body: [UInt8] = []
        /// Bytes of the stream up to the end of the head, and to the end of the message.
        var headEnd: Int
        var end: Int
    }

    var messages: [Message] = []
    var refusal: ProtocolError?
    /// The reader's state after the last byte; nil if it rejected one.
    var state: RequestReader.State?
}

/// Reads a stream that arrives in parts, each ending at one of `cuts`, as a connection does.
private func read(_ wire: [UInt8], cuts: [Int] = []) -> Record {
    var record = Record()
    var reader = RequestReader(limits: Limits())
    var head = RequestHead()
    var body: [UInt8] = []
    var used = 0
    do {
        for arrived in cuts + [wire.count] {
            while true {
                let step = try reader.read(wire.span.extracting(used..<arrived), head: &head, body: &body)
                if case .incomplete(let count) = step {
                    used += count
                    break
                }
                switch step {
                case .incomplete: break
                case .head(let count):
                    used += count
                    record.messages.append(.init(head: head, headEnd: used, end: used))
                case .complete(let count):
                    used += count
                    record.messages[record.messages.count - 1].body = body
                    record.messages[record.messages.count - 1].end = used
                    body = []
                }
            }
        }
        record.state = reader.state
    } catch {
        record.refusal = error
    }
    return record
}
