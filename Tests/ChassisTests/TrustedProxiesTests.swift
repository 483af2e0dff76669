import Configuration
import Reactor
import Testing

@testable import Chassis

struct TrustedProxiesTests {
    @Test(arguments: [
        ("203.0.113.9", "198.51.100.1", "203.0.113.9"),  // The peer is not trusted.
        ("10.0.0.1", "", "10.0.0.1"),
        ("10.0.0.1", "198.51.100.1", "198.51.100.1"),
        ("10.0.0.1", "1.1.1.1, 198.51.100.1", "198.51.100.1"),  // The client wrote the first element.
        ("10.0.0.1", "1.1.1.1,198.51.100.1,\t172.16.0.9 , 10.0.0.2", "198.51.100.1"),
        ("10.0.0.1", "192.168.1.1, 10.0.0.2", "192.168.1.1"),  // All are trusted: the left-most.
        ("10.0.0.1", "198.51.100.1:4711", "198.51.100.1"),
        ("10.0.0.1", "[2001:db8::1]:4711", "2001:db8::1"),
        ("10.0.0.1", "[2001:db8::1]", "2001:db8::1"),
        ("10.0.0.1", "2001:db8::1", "2001:db8::1"),
        ("10.0.0.1", "1.1.1.1, unknown, 10.0.0.2", "10.0.0.2"),  // A malformed element stops the walk.
        ("10.0.0.1", "198.51.100.1, unknown", "10.0.0.1"),
        ("10.0.0.1", "198.51.100.1:x", "10.0.0.1"),
        ("10.0.0.1", "198.51.100.1:", "10.0.0.1"),
        ("10.0.0.1", "198.51.100.1:123456", "10.0.0.1"),
        ("10.0.0.1", "[2001:db8::1", "10.0.0.1"),
        ("10.0.0.1", "[2001:db8::1]x", "10.0.0.1"),
        ("10.0.0.1", "[", "10.0.0.1"),
        ("10.0.0.1", "[]", "10.0.0.1"),
        ("10.0.0.1", "[]:80", "10.0.0.1"),
        ("10.0.0.1", "[:80", "10.0.0.1"),
        ("10.0.0.1", ":80", "10.0.0.1"),
        ("10.0.0.1", "198.51.100.1,", "198.51.100.1"),  // Empty elements are allowed in lists.
        ("10.0.0.1", ", ,198.51.100.1, ,", "198.51.100.1"),
        ("10.0.0.1", ",", "10.0.0.1"),
        ("::1", "fe80::1%eth0", "::1"),
        ("fd00::5", "198.51.100.1", "198.51.100.1"),
        ("::ffff:10.0.0.1", "::ffff:198.51.100.1", "198.51.100.1"),
    ])
    func `the client is the right-most element that is not a trusted proxy`(
        peer: String, forwardedFor: String, client: String
    ) throws {
        let proxies = try privateRanges()
        let address = try #require(IPAddress(peer))
        let bytes = Array(forwardedFor.utf8)
        #expect(proxies.clientAddress(peer: address, forwardedFor: bytes.span).description == client)
    }

    @Test func `no prefix of a field traps`() throws {
        let proxies = try privateRanges()
        let peer = try #require(IPAddress("10.0.0.1"))
        let bytes = Array("198.51.100.1:80, [2001:db8::1]:443 ,, 10.0.0.2,[fd00::1],::ffff:10.1.1.1".utf8)
        for end in 0...bytes.count {
            for start in 0...end {
                _ = proxies.clientAddress(peer: peer, forwardedFor: bytes.span.extracting(start..<end))
            }
        }
    }

    @Test(arguments: [
        ("10.255.255.255", true), ("11.0.0.0", false), ("172.15.255.255", false), ("172.16.0.0", true),
        ("172.31.255.255", true), ("172.32.0.0", false), ("192.168.0.1", true), ("192.169.0.1", false),
        ("127.0.0.1", true), ("169.254.169.254", true), ("8.8.8.8", false), ("::1", true), ("::2", false),
        ("::", false),
        ("fc00::1", true), ("fdff::1", true), ("fe00::1", false), ("fe80::1", true), ("febf::1", true),
        ("fec0::1", false),
    ])
    func `the private ranges are trusted by default`(address: String, isTrusted: Bool) throws {
        #expect(try privateRanges().contains(#require(IPAddress(address))) == isTrusted)
    }

    @Test(arguments: [
        "10.0.0.0/33", "10.0.0.0/", "10.0.0.0/+8", "10.0.0.0/8/8", "10.0.0.1/8", "::1/129", "fe80::1/10", "10.0.0/8",
        "", "x",
        "/8",
    ])
    func `a malformed network is rejected`(text: String) {
        #expect(throws: TrustedProxies.Malformed(text: text)) { try TrustedProxies(["::1", text]) }
    }

    @Test func `networks contain what their prefix length says`() throws {
        let v4 = try #require(IPAddress("198.51.100.1"))
        let v6 = try #require(IPAddress("2001:db8::1"))
        #expect(try TrustedProxies(["0.0.0.0/0"]).contains(v4))
        #expect(try !TrustedProxies(["0.0.0.0/0"]).contains(v6))
        #expect(try TrustedProxies(["::/0"]).contains(v4))
        #expect(try TrustedProxies(["::/0"]).contains(v6))
        #expect(try TrustedProxies(["198.51.100.1"]).contains(v4))
        #expect(try TrustedProxies(["::ffff:198.51.100.0/120"]).contains(v4))
        #expect(try TrustedProxies(["2001:db8::/64"]).contains(v6))
        #expect(try !TrustedProxies(["2001:db8::/128"]).contains(v6))
    }

    private func privateRanges() throws -> TrustedProxies {
        let reader = ConfigReader(provider: InMemoryProvider(values: [:]))
        return try Configuration.read(for: service, from: reader, needsDatabase: false, secretsDirectory: "/nowhere")
            .http
            .trustedProxies
    }
}
