import Testing

@testable import AWS

struct TransferTests {
    private func perform(_ request: Transfer.Request) throws(TransferError) -> Transfer.Answer {
        try Transfer(certificateBundle: nil).perform(request)
    }

    private func request(_ url: String, _ method: Transfer.Method = .get, timeout: Int = 5000) -> Transfer.Request {
        Transfer.Request(
            method: method, url: url, connectTimeout: .milliseconds(timeout), timeout: .milliseconds(timeout))
    }

    @Test func `sends method, fields and body, and returns status and body`() throws {
        try LoopbackServer { _ in .answer(418, "short and stout") }.run { server in
            var request = request(server.url + "/pot?size=1", .post(Array("{\"a\":\"é\"}".utf8)))
            request.headers = [("X-Kind", "tea"), ("Content-Type", "text/plain")]
            let answer = try perform(request)
            #expect(answer.status == 418)
            #expect(answer.body == Array("short and stout".utf8))
            let received = try #require(server.requests.first)
            #expect(received.method == "POST" && received.path == "/pot?size=1" && received.body == "{\"a\":\"é\"}")
            #expect(received.headers["x-kind"] == "tea" && received.headers["content-type"] == "text/plain")
        }
    }

    @Test func `a body may contain zero bytes`() throws {
        try LoopbackServer { .answer(200, $0.body) }.run { (server) throws in
            #expect(try perform(request(server.url, .post([0x61, 0, 0x62]))).body == [0x61, 0, 0x62])
        }
    }

    @Test func `a PUT may have no body`() throws {
        try LoopbackServer { _ in .answer(200) }.run { server in
            _ = try perform(request(server.url + "/token", .put))
            #expect(server.requests.map(\.method) == ["PUT"] && server.requests[0].body == "")
        }
    }

    @Test func `a response at the limit is read completely`() throws {
        let body = String(repeating: "x", count: Transfer.bodyByteLimit)
        try LoopbackServer { _ in .answer(200, body) }.run { (server) throws in
            #expect(try perform(request(server.url)).body.count == Transfer.bodyByteLimit)
        }
    }

    @Test func `a larger response is rejected`() throws {
        let body = String(repeating: "x", count: Transfer.bodyByteLimit + 1)
        try LoopbackServer { _ in .answer(200, body) }.run { server in
            #expect(throws: TransferError.tooLarge(host: "127.0.0.1", limit: Transfer.bodyByteLimit)) {
                try perform(request(server.url))
            }
        }
    }

    @Test func `a redirect is returned, not followed`() throws {
        try LoopbackServer { $0.path == "/" ? .answer(302, location: "/else") : .answer(200) }.run { (server) throws in
            #expect(try perform(request(server.url)).status == 302)
            #expect(server.requests.count == 1)
        }
    }

    @Test func `a silent server is distinguished from an unreachable one`() throws {
        try LoopbackServer { _ in .silence }.run { server in
            #expect(throws: TransferError.timedOut(host: "127.0.0.1", connected: true)) {
                try perform(request(server.url, timeout: 100))
            }
        }
        #expect(throws: TransferError.unreachable(host: "127.0.0.1")) { try perform(request(nobody)) }
    }

    @Test func `a connection that ends without a response is a transient error`() throws {
        try LoopbackServer { _ in .end }.run { server in
            let error = #expect(throws: TransferError.self) { try perform(request(server.url)) }
            #expect(error?.isTransient == true)
        }
    }

    @Test(arguments: ["a\r\nX-Other: b", "a\nb", "a\u{0}b", "\u{7F}"])
    func `a field's value cannot contain another field`(value: String) throws {
        try LoopbackServer { _ in .answer(200) }.run { server in
            var request = request(server.url)
            request.headers = [("X-Kind", value)]
            #expect(throws: TransferError.invalidHeader("X-Kind")) { try perform(request) }
            #expect(server.requests.isEmpty)
        }
    }

    @Test(arguments: [
        "", "127.0.0.1", "/path", "file:///etc/passwd", "ftp://127.0.0.1/", "http://", "http://a b/",
        "http://127.0.0.1@example.com/", "http://user:word@127.0.0.1/", "http://127.0.0.1/\r\nX: y",
    ])
    func `any other URL than http or https without a user is rejected`(url: String) {
        #expect(throws: TransferError.invalidURL) { try perform(request(url)) }
    }

    @Test func `signs with the region, the service and the token`() throws {
        try LoopbackServer { _ in .answer(200) }.run { server in
            var request = request(server.url, .post(Array("{}".utf8)))
            request.headers = [("X-Amz-Security-Token", keys.token)]
            request.signature = .init(
                region: "eu-west-1", service: "secretsmanager",
                credentials: try Credentials(
                    source: .environment, accessKeyID: keys.id, secretAccessKey: Redacted(keys.secret)))
            _ = try perform(request)
            let authorization = try #require(server.requests.first?.headers["authorization"])
            #expect(authorization.hasPrefix("AWS4-HMAC-SHA256 Credential=\(keys.id)/"))
            #expect(authorization.contains("/eu-west-1/secretsmanager/aws4_request"))
            #expect(authorization.contains("host;x-amz-date;x-amz-security-token"))
            #expect(!authorization.contains(keys.secret))
        }
    }

    @Test func `a missing certificate bundle is a TLS error`() {
        let transfer = Transfer(certificateBundle: "/nonexistent/bundle.pem")
        let error = #expect(throws: TransferError.self) { try transfer.perform(request("https://127.0.0.1:1/")) }
        // libcurl decides whether it checks the port or the file first.
        #expect(error.map { "\($0)".contains("127.0.0.1") } == true)
    }
}

struct WebAddressTests {
    @Test(arguments: [
        ("http://169.254.170.2/x", "169.254.170.2"), ("http://LocalHost:80/", "localhost"), ("http://[::1]:80/", "::1"),
        ("http://2130706433/", "127.0.0.1"), ("http://[FD00:EC2::23]/", "fd00:ec2::23"),
        ("http://127.0.0.1.example.com/", "127.0.0.1.example.com"),
    ])
    func `the host is the one that is connected to`(url: String, host: String) throws {
        let address = try WebAddress(url)
        #expect(address.host == host && !address.isEncrypted)
    }

    @Test func `https is encrypted`() throws {
        #expect(try WebAddress("https://example.com").isEncrypted)
    }
}
