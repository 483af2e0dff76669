import Configuration
import Testing

@testable import Items

struct TrustedProxiesTests {
    @Test(arguments: [
        ("203.0.113.9", "198.51.100.1", "203.0.113.9"),  // An untrusted peer is not believed.
        ("10.0.0.1", "", "10.0.0.1"),
        ("10.0.0.1", "198.51.100.1", "198.51.100.1"),
        ("10.0.0.1", "1.1.1.1, 198.51.100.1", "198.51.100.1"),  // What the client wrote itself.
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
    func `the client is the right-most element nobody trusted relayed`(
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
    func `a malformed network is refused`(text: String) {
        #expect(throws: TrustedProxies.Malformed(text: text)) { try TrustedProxies(["::1", text]) }
    }

    @Test func `networks hold what their length says`() throws {
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
        return try Configuration.read(from: reader, needsDatabase: false, secretsDirectory: "/nowhere").http
            .trustedProxies
    }
}

struct IPAddressTests {
    @Test(arguments: [
        ("0.0.0.0", "0.0.0.0"), ("255.255.255.255", "255.255.255.255"), ("192.0.2.33", "192.0.2.33"), ("::", "::"),
        ("::1", "::1"), ("1::", "1::"), ("2001:DB8:0:0:0:0:0:1", "2001:db8::1"), ("1:2:3:4:5:6:7:8", "1:2:3:4:5:6:7:8"),
        ("1:2:3:4:5:6:7::", "1:2:3:4:5:6:7:0"), ("::2:3:4:5:6:7:8", "0:2:3:4:5:6:7:8"),
        ("1:0:0:2:0:0:0:3", "1:0:0:2::3"),
        ("1:0:0:2:3:0:0:4", "1::2:3:0:0:4"), ("0001:0::00ff", "1::ff"), ("::ffff:192.0.2.1", "192.0.2.1"),
        ("::ffff:c000:201", "192.0.2.1"), ("64:ff9b::192.0.2.1", "64:ff9b::c000:201"),
        ("1:2:3:4:5:6:1.2.3.4", "1:2:3:4:5:6:102:304"), ("::1.2.3.4", "::102:304"),
    ])
    func `is read in each of its forms and written in one`(text: String, written: String) throws {
        let address = try #require(IPAddress(text))
        #expect(address.description == written)
        #expect(IPAddress(written) == address)
    }

    @Test(arguments: [
        "", "1", "1.2.3", "1.2.3.4.5", "1.2.3.256", "01.2.3.4", "1.2.3.00", "1..2.3", ".1.2.3", "1.2.3.", " 1.2.3.4",
        "1.2.3.4 ", "1.2.3.+4", "0x1.2.3.4", ":", ":::", "1:", ":1", "1:2:3:4:5:6:7", "1:2:3:4:5:6:7:8:9", "1::2::3",
        "1:2:3:4:5:6:7:8::", "::1:2:3:4:5:6:7:8", "1:2:3:4::5:6:7:8", "12345::", "g::", "::1%eth0", "[::1]", "::1.2.3",
        "1.2.3.4::", "1:2:3:4:5:6:7:1.2.3.4", "::1:", "1:::2", "::1:2:3:4:5:6:1.2.3.4",
        "0000:0000:0000:0000:0000:0000:255.255.255.2555",
    ])
    func `anything else is no address`(text: String) {
        #expect(IPAddress(text) == nil)
    }

    @Test func `the bytes of a socket give the same address`() throws {
        var bytes = InlineArray<16, UInt8>(repeating: 0)
        bytes[10] = 0xFF
        bytes[11] = 0xFF
        bytes[12] = 192
        bytes[14] = 2
        bytes[15] = 1
        #expect(IPAddress(bytes: bytes) == IPAddress("192.0.2.1"))
        #expect(IPAddress(v4: 0xC000_0201) == IPAddress("::ffff:192.0.2.1"))
        #expect(try #require(IPAddress("192.0.2.1")).isV4)
        #expect(try !#require(IPAddress("::c000:201")).isV4)
        #expect(try #require(IPAddress("0.0.0.0")).isUnspecified)
        #expect(try #require(IPAddress("::")).isUnspecified)
    }
}
