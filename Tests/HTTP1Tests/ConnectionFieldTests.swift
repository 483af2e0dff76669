import HTTP1
import Testing

struct ConnectionFieldTests {
    private func keepAlive(_ version: String, _ fields: String...) throws -> Bool {
        try head("GET / \(version)\r\nHost: a\r\n" + fields.map { $0 + "\r\n" }.joined() + "\r\n").keepAlive
    }

    @Test func `HTTP/1.1 keeps the connection and HTTP/1.0 closes it by default`() throws {
        #expect(try keepAlive("HTTP/1.1"))
        #expect(try !keepAlive("HTTP/1.0"))
        #expect(try !keepAlive("HTTP/1.1", "Connection: close"))
        #expect(try keepAlive("HTTP/1.0", "Connection: keep-alive"))
        #expect(try keepAlive("HTTP/1.0", "Connection: Upgrade,, KEEP-ALIVE ,"))
        #expect(try keepAlive("HTTP/1.1", "Connection: closed", "Connection:"))
    }

    @Test func `close takes precedence`() throws {
        for version in ["HTTP/1.0", "HTTP/1.1"] {
            #expect(try !keepAlive(version, "Connection: keep-alive, Close"))
            #expect(try !keepAlive(version, "Connection: CLOSE", "Connection: keep-alive"))
        }
    }

    @Test func `supports one expectation`() throws {
        #expect(try head(request("Expect: 100-continue")).expectsContinue)
        #expect(try head(request("expect: 100-CONTINUE", "Expect: 100-continue")).expectsContinue)
        #expect(try !head(request()).expectsContinue)
        for value in ["", "200-ok", "100-continue, x", "100-continue;a=b", "100_continue", "100\rcontinue"] {
            let error = value.contains("\r") ? ProtocolError.bareCarriageReturn : .unsupportedExpectation
            #expect(refusal(request("Expect: \(value)")) == error)
        }
    }

    @Test func `ignores expectations of HTTP/1.0 clients`() throws {
        #expect(try !head("POST / HTTP/1.0\r\nExpect: 100-continue\r\n\r\n").expectsContinue)
        #expect(refusal("POST / HTTP/1.0\r\nExpect: x\r\n\r\n") == nil)
    }
}
