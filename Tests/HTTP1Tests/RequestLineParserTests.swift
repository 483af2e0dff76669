import HTTP1
import Testing

struct RequestLineParserTests {
    @Test func `splits the line into method, path, query and version`() throws {
        let head = try head("GET /a/b?c=d?e HTTP/1.1\r\nHost: a\r\n\r\n")
        #expect(head.methodText == "GET" && head.pathText == "/a/b" && head.queryText == "c=d?e" && head.isHTTP11)
        #expect(!head.pathHasPercent)
    }

    @Test func `distinguishes an empty query from none`() throws {
        #expect(try head("GET /? HTTP/1.0\r\n\r\n").queryText == "")
        #expect(try head("GET / HTTP/1.0\r\n\r\n").queryText == nil)
    }

    @Test func `accepts any token as a method and keeps its case`() throws {
        #expect(try head("get / HTTP/1.0\r\n\r\n").methodText == "get")
        #expect(try head("M-SEARCH!#$%&'*+.^_`|~9 / HTTP/1.0\r\n\r\n").methodText == "M-SEARCH!#$%&'*+.^_`|~9")
    }

    @Test func `keeps dot segments and empty segments`() throws {
        for path in ["/../a", "//a", "/a/./b", "/%2e%2e/", "/a//"] {
            #expect(try head("GET \(path) HTTP/1.0\r\n\r\n").pathText == path)
        }
    }

    @Test func `parses an absolute target`() throws {
        let full = try head("GET HTTP://a:80/b%20?c HTTP/1.1\r\nHost: A:80\r\n\r\n")
        #expect(full.pathText == "/b%20" && full.queryText == "c" && full.pathHasPercent)
        let bare = try head("GET https://a HTTP/1.1\r\nHost: a\r\n\r\n")
        #expect(bare.pathText == "" && bare.queryText == nil)
        let query = try head("GET http://a?b HTTP/1.1\r\nHost: a\r\n\r\n")
        #expect(query.pathText == "" && query.queryText == "b")
        #expect(try head("GET http://a/ HTTP/1.0\r\n\r\n").pathText == "/")
    }

    @Test func `detects percent escapes in the path only`() throws {
        #expect(try head("GET /%41 HTTP/1.0\r\n\r\n").pathHasPercent)
        #expect(try !head("GET /?%41 HTTP/1.0\r\n\r\n").pathHasPercent)
    }

    @Test(arguments: [
        (" / HTTP/1.1\r\n", ProtocolError.badMethod), ("GET\t/ HTTP/1.1\r\n", .badMethod),
        ("G(T / HTTP/1.1\r\n", .badMethod),
        ("GET\r\n", .badMethod), ("GET\n", .bareLineFeed), ("\u{16}\u{03}\u{01}", .badMethod),
        ("G\u{E9}T / ", .badMethod),
        ("CONNECT a:443 HTTP/1.1\r\n", .connectRefused),
        ("GET  / HTTP/1.1\r\n", .badTarget), ("GET a HTTP/1.1\r\n", .badTarget), ("GET * HTTP/1.1\r\n", .badTarget),
        ("OPTIONS *a HTTP/1.1\r\n", .badTarget), ("GET /#a HTTP/1.1\r\n", .badTarget),
        ("GET /?a#b HTTP/1.1\r\n", .badTarget), ("GET /\u{E9} HTTP/1.1\r\n", .badTarget),
        ("GET /\u{7F} HTTP/1.1\r\n", .badTarget), ("GET /a\tb HTTP/1.1\r\n", .badTarget),
        ("GET /a?\0 HTTP/1.1\r\n", .badTarget), ("GET ftp://a/ HTTP/1.1\r\n", .badTarget),
        ("GET http:/a HTTP/1.1\r\n", .badTarget), ("GET httpss://a HTTP/1.1\r\n", .badTarget),
        ("GET http:///a HTTP/1.1\r\n", .badTarget), ("GET http://u@a/ HTTP/1.1\r\n", .badTarget),
        ("GET http://a:b/ HTTP/1.1\r\n", .badTarget),
        ("GET /% HTTP/1.1\r\n", .invalidPercentEncoding), ("GET /%4 HTTP/1.1\r\n", .invalidPercentEncoding),
        ("GET /%g0 HTTP/1.1\r\n", .invalidPercentEncoding), ("GET /%0g HTTP/1.1\r\n", .invalidPercentEncoding),
        ("GET /a%00 HTTP/1.1\r\n", .encodedNull),
        ("GET /\r\n", .badVersion), ("GET /\n", .bareLineFeed), ("GET /?a\r\n", .badVersion),
        ("GET / \r\n", .badVersion),
        ("GET /  HTTP/1.1\r\n", .badVersion), ("GET / HTTP/1.1 \r\n", .badVersion), ("GET / http/1.1\r\n", .badVersion),
        ("GET / HTTP/1.1x\r\n", .badVersion), ("GET / HTTP/11\r\n", .badVersion), ("GET / HTTP/1.\r\n", .badVersion),
        ("GET / HTTP/01.1\r\n", .badVersion), ("GET / HTTP/1.10\r\n", .badVersion), ("GET / HTTP/1.1\n", .bareLineFeed),
        ("GET / HTTP/1.1\rx", .bareCarriageReturn), ("GET / HTTP/1.1\r\r\n", .bareCarriageReturn),
        ("GET / HTTP/2.0\r\n", .unsupportedVersion), ("GET / HTTP/1.2\r\n", .unsupportedVersion),
        ("GET / HTTP/0.9\r\n", .unsupportedVersion), ("GET / HTTP/3.1\r\n", .unsupportedVersion),
        ("GET / HTTP/2.1\r\n", .unsupportedVersion),
    ])
    func `refuses`(line: String, error: ProtocolError) {
        #expect(refusal(line) == error, "\(line.debugDescription)")
    }

    @Test(arguments: [
        ("\u{16}", ProtocolError.badMethod), ("GET \"", .badTarget), ("GET hz", .badTarget),
        ("GET /%x", .invalidPercentEncoding),
        ("GET / h", .badVersion), ("GET / HTTP/x", .badVersion), ("GET / HTTP/1.1 ", .badVersion), ("GE\0", .badMethod),
        ("CONNECT ", .connectRefused), ("GET *", .badTarget),
    ])
    func `rejects at the first invalid byte`(start: String, error: ProtocolError) {
        #expect(refusal(start) == error)
        #expect(parse(String(start.dropLast())) == .incomplete)
    }

    @Test func `accepts only visible ASCII, at every place of a path and a query`() {
        for byte in UInt8.min...UInt8.max {
            for length in [1, 6, 7, 8, 9, 15, 16, 17] {
                let filler = [UInt8](repeating: 0x67, count: length)
                let path = Array("GET /".utf8) + filler + [byte] + filler + Array(" HTTP/1.0\r\n\r\n".utf8)
                let query = Array("GET /?".utf8) + filler + [byte] + filler + Array(" HTTP/1.0\r\n\r\n".utf8)
                var inQuery: ProtocolError?
                switch byte {
                case 0x0A: inQuery = .bareLineFeed
                case 0x0D: inQuery = .badVersion
                case 0x20: inQuery = .badVersion
                case 0x21...0x7E where byte != 0x23: inQuery = nil
                default: inQuery = .badTarget
                }
                #expect(refusal(query) == inQuery, "\(byte) after \(length)")
                #expect(refusal(path) == (byte == 0x25 ? .invalidPercentEncoding : inQuery), "\(byte) after \(length)")
            }
        }
    }

    @Test func `enforces the limits of method and request line exactly`() {
        let method = String(repeating: "M", count: Limits.methodByteLimit)
        #expect(refusal("\(method) / HTTP/1.0\r\n\r\n") == nil)
        #expect(refusal("\(method)M / HTTP/1.0\r\n\r\n") == .methodTooLong)
        #expect(refusal("\(method)\0") == .badMethod)
        for prefix in ["/", "/?", "/%41", "http://a/"] {
            let rest = Limits.requestLineByteLimit - "GET \(prefix) HTTP/1.0".utf8.count
            for (extra, error) in [
                (-1, nil), (0, nil), (1, ProtocolError.requestLineTooLong), (9, .requestLineTooLong),
            ] {
                let target = prefix + String(repeating: "a", count: rest + extra)
                let wire = Array("\r\nGET \(target) HTTP/1.0\r\n\r\n".utf8)
                let whole = parse(wire)
                if case .refused(let found) = whole { #expect(found == error) } else { #expect(error == nil) }
                #expect(parse(wire, cuts: (wire.count - 40)..<wire.count) == whole)
            }
        }
        let authority = "GET http://" + String(repeating: "a", count: Limits.requestLineByteLimit)
        #expect(parse(authority) == .refused(.requestLineTooLong))
    }
}
