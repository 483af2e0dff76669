import HTTP1
import Testing

struct HostFieldTests {
    @Test(arguments: [
        "a", "example.com", "example.com:80", "example.com:", "127.0.0.1:5001", "[::1]", "[::1]:80", "[::]", "[1::]",
        "[1:2:3:4:5:6:7:8]", "[2001:db8::1.2.3.4]", "[1:2:3:4:5:6:1.2.3.4]", "[1::3:4:5:6:7:8]", "a_b~!$&'()*+;=-.",
        "a%41", "a:65535", "a:00080",
    ])
    func `accepts a host with an optional port`(host: String) throws {
        #expect(refusal("GET / HTTP/1.1\r\nHost: \(host)\r\n\r\n") == nil)
    }

    @Test(arguments: [
        "", ":80", "a b", "a,b", "a:b", "a:80:80", "a:65536", "a:000080", "a:-1", "u@a", "a/b", "a?b", "a#b", "a\\b",
        "a%",
        "a%4",
        "a%zz", "a%00", "\u{E9}", "[", "[]", "[::1", "::1", "[::1]a", "[::1]80", "[:::]", "[1:2]", "[1::2::3]",
        "[:1::]",
        "[1:2:3:4:5:6:7:8:9]", "[1:2:3:4:5:6:7::8]", "[12345::]", "[::g]", "[::1%25eth0]", "[v1.a]", "[::1.2.3]",
        "[::1.2.3.256]", "[::01.2.3.4]", "[::1.2.3.4.5]", "[::1.2.3.]", "[1:]", "<a>", "a\"",
    ])
    func `rejects values that are not a host`(host: String) {
        #expect(refusal("GET / HTTP/1.1\r\nHost: \(host)\r\n\r\n") == .invalidHost)
    }

    @Test func `requires exactly one Host, in HTTP/1.0 at most one`() {
        #expect(refusal("GET / HTTP/1.1\r\n\r\n") == .missingHost)
        #expect(refusal("GET / HTTP/1.0\r\n\r\n") == nil)
        #expect(refusal("GET / HTTP/1.0\r\nHost: a\r\nHost: a\r\n\r\n") == .repeatedHost)
    }

    @Test func `requires the Host of an absolute target`() {
        #expect(refusal("GET http://a/ HTTP/1.1\r\nHost: b\r\n\r\n") == .hostMismatch)
        #expect(refusal("GET http://a/ HTTP/1.0\r\nHost: b\r\n\r\n") == .hostMismatch)
        #expect(refusal("GET http://a/ HTTP/1.1\r\n\r\n") == .missingHost)
    }

    // RFC 3986 §6.2.3: the scheme's default port, or an empty one, equals no port.
    @Test(arguments: [
        ("http://a", "a:80"), ("http://a", "a:"), ("http://a:80", "a"), ("http://a:", "a"), ("http://a:", "a:80"),
        ("HTTP://a:80", "A:"), ("https://a", "a:443"), ("https://a:443", "a"), ("https://a:", "a:443"),
        ("http://[::1]", "[::1]:80"), ("http://[::1]:80", "[::1]"), ("http://127.0.0.1:80", "127.0.0.1"),
        ("http://a:8080", "a:8080"), ("http://a:443", "a:443"), ("https://a:80", "a:80"), ("http://a:0080", "a"),
    ])
    func `an absolute target and a Host with the same port match`(target: String, host: String) {
        #expect(refusal("GET \(target)/ HTTP/1.1\r\nHost: \(host)\r\n\r\n") == nil)
    }

    @Test(arguments: [
        ("http://a", "a:443"), ("https://a", "a:80"), ("http://a:443", "a"), ("https://a:80", "a"), ("http://a", "a:8"),
        ("http://a:8080", "a"), ("http://a:8080", "a:8081"), ("http://a:80", "a:81"), ("http://a:80", "b"),
        ("http://a", "a:0"), ("http://a:800", "a:80"), ("http://[::1]", "[::2]:80"), ("http://[::1]:80", "[::1]:443"),
        ("http://a:80", "aa"), ("http://80", "a:80"), ("http://a80", "a"),
    ])
    func `an absolute target and a Host with another port differ`(target: String, host: String) {
        #expect(refusal("GET \(target)/ HTTP/1.1\r\nHost: \(host)\r\n\r\n") == .hostMismatch)
    }
}
