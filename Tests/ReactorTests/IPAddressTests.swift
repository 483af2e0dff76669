import Reactor
import Testing

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
    func `is parsed in each form and written in one`(text: String, written: String) throws {
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
    func `anything else is not an address`(text: String) {
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
