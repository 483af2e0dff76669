import CLinux
import Glibc

/// An IP address and port of a socket.
public struct SocketAddress: Sendable {
    /// The address as 16 bytes in network order; IPv4 as `::ffff:a.b.c.d` (RFC 4291 §2.5.5.2). Zeros for other
    /// families.
    public let bytes: InlineArray<16, UInt8>
    public let port: UInt16
    let family: Int32

    /// A numeric address; nil when `host` is not one.
    public init?(host: String, port: UInt16) {
        var bytes = InlineArray<16, UInt8>(repeating: 0)
        var v4 = in_addr()
        var v6 = in6_addr()
        // inet_pton writes an address of the given family, and the structures are of that family.
        if unsafe inet_pton(AF_INET, host, &v4) == 1 {
            family = AF_INET
            Self.map(v4, into: &bytes)
        } else if unsafe inet_pton(AF_INET6, host, &v6) == 1 {
            family = AF_INET6
            Self.copy(v6, into: &bytes)
        } else {
            return nil
        }
        self.bytes = bytes
        self.port = port
    }

    /// Whether it is `::`, the wildcard address of both families.
    var isDualStack: Bool { family == AF_INET6 && bytes.span.indices.allSatisfy { bytes[$0] == 0 } }

    init(_ storage: sockaddr_storage) {
        var bytes = InlineArray<16, UInt8>(repeating: 0)
        var port: UInt16 = 0
        let family = Int32(storage.ss_family)
        // The family tells which structure the kernel wrote into the storage.
        unsafe withUnsafeBytes(of: storage) { raw in
            if family == AF_INET {
                let address = unsafe raw.load(as: sockaddr_in.self)
                port = UInt16(bigEndian: address.sin_port)
                Self.map(address.sin_addr, into: &bytes)
            } else if family == AF_INET6 {
                let address = unsafe raw.load(as: sockaddr_in6.self)
                port = UInt16(bigEndian: address.sin6_port)
                Self.copy(address.sin6_addr, into: &bytes)
            }
        }
        self.family = family
        self.bytes = bytes
        self.port = port
    }

    static func local(of descriptor: borrowing FileDescriptor) throws(SystemError) -> SocketAddress {
        var storage = sockaddr_storage()
        var length = socklen_t(MemoryLayout<sockaddr_storage>.size)
        let number = descriptor.number
        _ = try blockingSystem("getsockname") {
            // The storage has the size that `length` says.
            unsafe withUnsafeMutablePointer(to: &storage) { pointer in
                unsafe pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                    unsafe getsockname(number, $0, &length)
                }
            }
        }
        return SocketAddress(storage)
    }

    func withPointer<Result>(
        _ body: (UnsafePointer<sockaddr>, socklen_t) throws(SystemError) -> Result
    ) throws(SystemError) -> Result {
        if family == AF_INET {
            var address = sockaddr_in()
            address.sin_family = sa_family_t(AF_INET)
            address.sin_port = port.bigEndian
            for index in 0..<4 {
                address.sin_addr.s_addr |= UInt32(bytes[12 + index]) << UInt32(8 * index)
            }
            return try unsafe Self.rebound(&address, body)
        }
        var address = sockaddr_in6()
        address.sin6_family = sa_family_t(AF_INET6)
        address.sin6_port = port.bigEndian
        // Copies sixteen bytes into a structure of sixteen bytes.
        unsafe withUnsafeMutableBytes(of: &address.sin6_addr) { raw in
            for index in 0..<16 { unsafe raw[index] = bytes[index] }
        }
        return try unsafe Self.rebound(&address, body)
    }

    private static func rebound<Address, Result>(
        _ address: inout Address, _ body: (UnsafePointer<sockaddr>, socklen_t) throws(SystemError) -> Result
    ) throws(SystemError) -> Result {
        // Every sockaddr_* begins with a sockaddr; the pointer does not outlive the call.
        try unsafe withUnsafePointer(to: &address) { (pointer) throws(SystemError) in
            try unsafe pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { (generic) throws(SystemError) in
                try unsafe body(generic, socklen_t(MemoryLayout<Address>.size))
            }
        }
    }

    private static func map(_ address: in_addr, into bytes: inout InlineArray<16, UInt8>) {
        bytes[10] = 0xFF
        bytes[11] = 0xFF
        for index in 0..<4 {
            bytes[12 + index] = UInt8(truncatingIfNeeded: address.s_addr >> UInt32(8 * index))
        }
    }

    private static func copy(_ address: in6_addr, into bytes: inout InlineArray<16, UInt8>) {
        // Copies sixteen bytes out of a structure of sixteen bytes.
        unsafe withUnsafeBytes(of: address) { raw in
            for index in 0..<16 { bytes[index] = unsafe raw[index] }
        }
    }
}
