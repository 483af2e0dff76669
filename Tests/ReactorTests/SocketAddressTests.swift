import CLinux
import Glibc
import Testing

@testable import Reactor

struct SocketAddressTests {
    private func bytes(_ address: SocketAddress?) -> [UInt8]? {
        address.map { address in address.bytes.indices.map { address.bytes[$0] } }
    }

    private static let mappedPrefix: [UInt8] = [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xFF, 0xFF]

    @Test(
        arguments: [
            ("127.0.0.1", [127, 0, 0, 1]), ("0.0.0.0", [0, 0, 0, 0]), ("255.254.253.252", [255, 254, 253, 252]),
        ] as [(String, [UInt8])])
    func `maps an IPv4 address into IPv6`(host: String, tail: [UInt8]) throws {
        let address = try #require(SocketAddress(host: host, port: 5001))
        #expect(bytes(address) == Self.mappedPrefix + tail)
        #expect(address.port == 5001)
        #expect(address.family == AF_INET)
    }

    @Test(arguments: [
        ("::", [UInt8](repeating: 0, count: 16)), ("::1", [UInt8](repeating: 0, count: 15) + [1]),
        ("2001:db8::ff", [0x20, 0x01, 0x0D, 0xB8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xFF]),
        ("::ffff:10.1.2.3", mappedPrefix + [10, 1, 2, 3]),
    ])
    func `keeps an IPv6 address unchanged`(host: String, expected: [UInt8]) throws {
        let address = try #require(SocketAddress(host: host, port: 65535))
        #expect(bytes(address) == expected)
        #expect(address.port == 65535)
        #expect(address.family == AF_INET6)
    }

    @Test(arguments: [
        "", "localhost", "1.2.3", "1.2.3.256", "01.2.3.4.5", " 1.2.3.4", "1.2.3.4 ", "::g", ":::", "[::1]",
        "fe80::1%lo",
    ])
    func `rejects a host that is not a numeric address`(host: String) {
        #expect(SocketAddress(host: host, port: 1) == nil)
    }

    @Test(arguments: ["127.0.0.1", "10.20.30.40", "::1", "2001:db8::1234"])
    func `survives conversion to the kernel's structure and back`(host: String) throws {
        let address = try #require(SocketAddress(host: host, port: 5001))
        let copy = try unsafe address.withPointer { (pointer, length) throws(SystemError) in
            var storage = sockaddr_storage()
            // The storage is large enough for an address of any family.
            unsafe withUnsafeMutableBytes(of: &storage) { raw in
                unsafe raw.copyMemory(from: UnsafeRawBufferPointer(start: pointer, count: Int(length)))
            }
            return SocketAddress(storage)
        }
        #expect(bytes(copy) == bytes(address))
        #expect(copy.port == 5001)
        #expect(copy.family == address.family)
    }

    @Test func `a different family has neither address nor port`() {
        var storage = sockaddr_storage()
        storage.ss_family = sa_family_t(AF_UNIX)
        let address = SocketAddress(storage)
        #expect(bytes(address) == [UInt8](repeating: 0, count: 16))
        #expect(address.port == 0)
    }
}
