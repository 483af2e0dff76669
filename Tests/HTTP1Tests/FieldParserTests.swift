import HTTP1
import Testing

struct FieldParserTests {
    @Test func `keeps the fields in order with their duplicates`() throws {
        let head = try head(request("B: 1", "a:  2 \t", "b:\t3", "C:"))
        #expect(head.fields.map { head.string($0.name) } == ["Host", "B", "a", "b", "C"])
        #expect(head.fields.map { head.string($0.value) } == ["a", "1", "2", "3", ""])
        #expect(head.value("b") == "1" && head.values("B") == ["1", "3"] && head.value("c") == "")
        #expect(head.value("d") == nil && head.values("d") == [])
    }

    @Test(arguments: [
        (KnownField.host, "Host"), (.contentLength, "Content-Length"), (.transferEncoding, "Transfer-Encoding"),
        (.connection, "Connection"), (.expect, "Expect"), (.contentType, "Content-Type"),
        (.contentEncoding, "Content-Encoding"), (.accept, "Accept"), (.acceptEncoding, "Accept-Encoding"),
        (.userAgent, "User-Agent"), (.authorization, "Authorization"), (.ifMatch, "If-Match"),
        (.ifNoneMatch, "If-None-Match"), (.idempotencyKey, "Idempotency-Key"), (.xRequestID, "X-Request-Id"),
        (.xForwardedFor, "X-Forwarded-For"), (.xForwardedProto, "X-Forwarded-Proto"),
        (.xForwardedPort, "X-Forwarded-Port"), (.xAmznTraceID, "X-Amzn-Trace-Id"), (.traceparent, "traceparent"),
        (.prefer, "Prefer"), (.origin, "Origin"), (.secFetchSite, "Sec-Fetch-Site"),
    ])
    func `recognizes a known field in any case, and no similar name`(known: KnownField, name: String) throws {
        let value = known == .connection ? "x" : known == .transferEncoding ? "chunked" : "100-continue"
        guard known != .contentLength && known != .host else { return }
        for spelling in [name, name.uppercased(), name.lowercased()] {
            let head = try head(request("\(spelling): \(value)"))
            #expect(head.count(of: known) == 1 && head.firstRange(of: known).map { head.string($0) } == value)
        }
        for index in name.indices {
            var other = name
            other.replaceSubrange(index...index, with: name[index] == "-" ? "_" : "-")
            #expect(try head(request("\(other): \(value)")).fields[1].known == nil)
        }
        #expect(try head(request("\(name)x: \(value)", "\(name.dropLast()): \(value)")).count(of: known) == 0)
    }

    @Test func `every known field is tested above`() {
        #expect(KnownField.allCases.count == 23)
    }

    @Test func `finds the first and the last of a known field`() throws {
        let head = try head(request("Accept: 1", "X-Forwarded-For: a", "accept: 2", "ACCEPT: 3"))
        #expect(head.count(of: .accept) == 3)
        #expect(head.firstRange(of: .accept).map { head.string($0) } == "1")
        #expect(head.lastRange(of: .accept).map { head.string($0) } == "3")
        #expect(head.firstRange(of: .ifMatch) == nil && head.lastRange(of: .ifMatch) == nil)
        #expect(head.count(of: .ifMatch) == 0)
    }

    @Test func `accepts tabs and bytes above ASCII in values`() throws {
        let wire = Array("GET / HTTP/1.0\r\nA: x\ty".utf8) + [0x80, 0xFF, 0xA0] + Array("z, 0123456789\r\n\r\n".utf8)
        guard case .complete(let head, _) = parse(wire) else {
            Issue.record("refused")
            return
        }
        #expect(Array(head.bytes[head.fields[0].value]) == Array(wire[19..<(wire.count - 4)]))
    }

    @Test func `rejects every control character at every place of a value`() {
        for control in (0x00...0x1F).map(UInt8.init) + [0x7F] where control != 0x09 {
            for length in 0..<20 {
                var wire = Array("GET / HTTP/1.0\r\nA: ".utf8) + [UInt8](repeating: 0x61, count: length)
                wire += [control] + Array("0123456789\r\n\r\n".utf8)
                let expected: ProtocolError =
                    control == 0x0A ? .bareLineFeed : control == 0x0D ? .bareCarriageReturn : .invalidFieldValue
                #expect(refusal(wire) == expected, "\(control) after \(length)")
            }
        }
    }

    @Test func `rejects every byte in a name that is not a tchar`() {
        let token = Set("!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ".utf8)
        for byte in UInt8.min...UInt8.max where byte != 0x3A {
            let wire = Array("GET / HTTP/1.0\r\nHos".utf8) + [byte] + Array(": a\r\n\r\n".utf8)
            let expected: ProtocolError? =
                switch byte {
                case 0x0A: .bareLineFeed
                case 0x09, 0x20: .whitespaceBeforeColon
                default: token.contains(byte) ? nil : .invalidFieldName
                }
            #expect(refusal(wire) == expected, "\(byte)")
        }
    }

    @Test(arguments: [
        (": x", ProtocolError.invalidFieldName), ("Name", .invalidFieldName), ("N\u{E9}: x", .invalidFieldName),
        ("Name : x", .whitespaceBeforeColon), ("Name\t: x", .whitespaceBeforeColon),
        ("Na me: x", .whitespaceBeforeColon),
        (" Name: x", .lineFolding), ("A: b\r\n c", .lineFolding), ("A: b\r\n\tc: d", .lineFolding), (" ", .lineFolding),
        ("A: b\nC: d", .bareLineFeed), ("A\n", .bareLineFeed), ("A: b\rC: d", .bareCarriageReturn),
        ("\n", .bareLineFeed), ("\r", .bareCarriageReturn), ("A: b\0", .invalidFieldValue),
        ("Connection: a b", .invalidConnection), ("Connection: close;q=1", .invalidConnection),
        ("Host: b", .repeatedHost), ("host: a", .repeatedHost),
    ])
    func `refuses`(field: String, error: ProtocolError) {
        #expect(refusal(request(field)) == error, "\(field.debugDescription)")
    }

    @Test func `rejects white space between request line and fields`() {
        #expect(refusal("GET / HTTP/1.1\r\n Host: a\r\n\r\n") == .lineFolding)
    }

    @Test func `does not treat an underscore as a hyphen`() throws {
        #expect(try head(request("Content_Length: 5", "Transfer_Encoding: chunked")).framing == .none)
    }

    @Test func `enforces the limit of a field line exactly`() {
        let limit = Limits.fieldLineByteLimit
        for (length, error) in [(limit - 1, nil), (limit, nil), (limit + 1, ProtocolError.fieldTooLong)] {
            for start in ["A: ", "A:", "A: \t"] {
                let line = start + String(repeating: "x", count: length - start.utf8.count)
                #expect(parse(request(line)) == parse(Array(request(line).utf8), cuts: limit..<(limit + 50)))
                if case .refused(let found) = parse(request(line)) {
                    #expect(found == error)
                } else {
                    #expect(error == nil)
                }
            }
            let blank = "A:" + String(repeating: " ", count: length - 2)
            if case .refused(let found) = parse(request(blank)) {
                #expect(found == error)
            } else {
                #expect(error == nil)
            }
            let name = String(repeating: "n", count: length - 1) + ":"
            if case .refused(let found) = parse(request(name)) {
                #expect(found == error)
            } else {
                #expect(error == nil)
            }
        }
        #expect(parse("GET / HTTP/1.1\r\n" + String(repeating: "n", count: limit + 1)) == .refused(.fieldTooLong))
    }

    @Test func `enforces the limit of all fields exactly`() {
        // "Host: a" and "A: bcd" have 13 bytes.
        let wire = request("A: bcd")
        #expect(refusal(wire, limits: Limits(headByteLimit: 14)) == nil)
        #expect(refusal(wire, limits: Limits(headByteLimit: 13)) == nil)
        #expect(refusal(wire, limits: Limits(headByteLimit: 12)) == .headTooLong)
        #expect(refusal(wire, limits: Limits(headByteLimit: 7)) == .headTooLong)
        #expect(refusal("GET / HTTP/1.0\r\n\r\n", limits: Limits(headByteLimit: 0)) == nil)
    }

    @Test func `enforces the limit of the number of fields exactly`() {
        let wire = request("A: 1", "B: 2")
        #expect(refusal(wire, limits: Limits(fieldCountLimit: 4)) == nil)
        #expect(refusal(wire, limits: Limits(fieldCountLimit: 3)) == nil)
        #expect(refusal(wire, limits: Limits(fieldCountLimit: 2)) == .tooManyFields)
    }

    @Test func `a head at every limit fits into the read buffer`() {
        let limits = Limits(headByteLimit: 100, fieldCountLimit: 4)
        let target = "/" + String(repeating: "a", count: Limits.requestLineByteLimit - "GET / HTTP/1.1".utf8.count)
        let wire =
            "\r\nGET \(target) HTTP/1.1\r\nHost: a\r\nA: 1\r\nB: 2\r\nC: " + String(repeating: "c", count: 82)
            + "\r\n\r\n"
        #expect(wire.utf8.count == limits.messageHeadByteLimit)
        #expect(refusal(wire, limits: limits) == nil)
    }
}
