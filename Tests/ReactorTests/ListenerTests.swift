import Glibc
import Testing

@testable import Reactor

struct ListenerTests {
    /// A blocking client's socket.
    private func connect(_ host: String, _ port: UInt16) throws -> FileDescriptor {
        let address = try #require(SocketAddress(host: host, port: port))
        let client = FileDescriptor(owning: socket(address.family, Int32(SOCK_STREAM.rawValue), 0))
        let number = client.number
        try unsafe address.withPointer { (pointer, length) throws(SystemError) in
            // `address` outlives the call.
            _ = try blockingSystem("connect") { unsafe Glibc.connect(number, pointer, length) }
        }
        return client
    }

    private static let hasIPv6: Bool = {
        guard let listener = try? Listener(host: "::1", port: 0) else { return false }
        return (try? listener.port()) != nil
    }()

    private func isEmpty(_ listener: borrowing Listener) -> Bool {
        if case .none = listener.accept() { true } else { false }
    }

    /// The mapped form of the peer's address; nil when no client was accepted.
    private func peer(of listener: borrowing Listener) -> (bytes: [UInt8], port: UInt16)? {
        switch listener.accept() {
        case .client(let socket, let address):
            _ = consume socket
            return (address.bytes.indices.map { address.bytes[$0] }, address.port)
        case .none: return nil
        case .lost: return nil
        case .outOfDescriptors: return nil
        }
    }

    @Test func `a socket that does not listen, or is not TCP, is rejected`() throws {
        let listener = try Listener(host: "127.0.0.1", port: 0)
        #expect(Listener.isListening(listener.descriptor.number))
        let client = try connect("127.0.0.1", listener.port())
        #expect(!Listener.isListening(client.number))
        let datagrams = FileDescriptor(owning: socket(AF_INET, Int32(SOCK_DGRAM.rawValue), 0))
        #expect(!Listener.isListening(datagrams.number))
        let local = FileDescriptor(owning: socket(AF_UNIX, Int32(SOCK_STREAM.rawValue), 0))
        #expect(!Listener.isListening(local.number))
        #expect(!Listener.isListening(0x7FFF_FFFF))
    }

    @Test func `the kernel buffers little for a client that does not read`() throws {
        func unsentLimit(of number: Int32) -> Int32? {
            var value: Int32 = 0
            var length = socklen_t(MemoryLayout<Int32>.size)
            // `value` has the size that `length` says.
            let status = unsafe getsockopt(number, Int32(IPPROTO_TCP), TCP_NOTSENT_LOWAT, &value, &length)
            return status == 0 ? value : nil
        }
        let listener = try Listener(host: "127.0.0.1", port: 0)
        let client = try connect("127.0.0.1", listener.port())
        guard case .client(let socket, _) = listener.accept() else {
            Issue.record("nobody was accepted")
            return
        }
        #expect(unsentLimit(of: socket.number) == 262_144)
        _ = consume client
    }

    @Test func `port 0 lets the kernel choose, and an empty queue gives no client`() throws {
        let listener = try Listener(host: "127.0.0.1", port: 0)
        #expect(try listener.port() > 0)
        #expect(isEmpty(listener) == true)
    }

    @Test func `accepts a client whose socket is non-blocking and closes with its owner`() throws {
        let listener = try Listener(host: "127.0.0.1", port: 0)
        let client = try connect("127.0.0.1", listener.port())
        do {
            guard case .client(let accepted, let address) = listener.accept() else {
                Issue.record("nobody was accepted")
                return
            }
            #expect(try SocketAddress.local(of: client).port == address.port)
            #expect(try receive(from: accepted) == nil)
            #expect(fcntl(accepted.number, F_GETFD) & FD_CLOEXEC != 0)
            try send("hello", to: accepted)
            #expect(try receive(from: client) == "hello")
        }
        #expect(try receive(from: client) == "")
        #expect(isEmpty(listener) == true)
    }

    @Test(.enabled(if: hasIPv6, "there is no IPv6 here"))
    func `the IPv6 wildcard address accepts IPv4 and IPv6 clients`() throws {
        let listener = try Listener(host: "::", port: 0)
        let port = try listener.port()
        let v4 = try connect("127.0.0.1", port)
        #expect(peer(of: listener)?.bytes == [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xFF, 0xFF, 127, 0, 0, 1])
        let v6 = try connect("::1", port)
        #expect(peer(of: listener)?.bytes == [UInt8](repeating: 0, count: 15) + [1])
        _ = (consume v4).number
        _ = (consume v6).number
    }

    @Test func `several listeners share a port`() throws {
        let first = try Listener(host: "127.0.0.1", port: 0)
        let port = try first.port()
        let second = try Listener(host: "127.0.0.1", port: port, isFirst: false)
        #expect(try second.port() == port)
        for _ in 0..<20 {
            let client = try connect("127.0.0.1", port)
            let bytes = peer(of: first)?.bytes ?? peer(of: second)?.bytes
            #expect(bytes != nil)
            _ = (consume client).number
        }
    }

    @Test func `duplicates a listening socket`() throws {
        let owner = try Listener(host: "127.0.0.1", port: 0)
        let port = try owner.port()
        do {
            let share = try Listener(duplicating: owner.descriptor.number)
            #expect(share.descriptor.number != owner.descriptor.number)
            #expect(try share.port() == port)
            let client = try connect("127.0.0.1", port)
            #expect(peer(of: share)?.port != nil)
            _ = (consume client).number
        }
        // The duplicate is closed, the original number is not.
        let client = try connect("127.0.0.1", port)
        #expect(peer(of: owner)?.port != nil)
        _ = (consume client).number
    }

    @Test func `shedding closes one waiting client, and the queue shrinks`() throws {
        var listener = try Listener(host: "127.0.0.1", port: 0)
        let shed = try connect("127.0.0.1", listener.port())
        let kept = try connect("127.0.0.1", listener.port())
        let port = try SocketAddress.local(of: kept).port
        #expect(listener.shedOne() == true)
        #expect(try receive(from: shed) == "")
        #expect(peer(of: listener)?.port == port)
        #expect(listener.shedOne() == false)
        _ = (consume kept).number
    }

    @Test func `another process about to listen cannot share the port by mistake`() throws {
        let reserved = FileDescriptor(owning: socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0))
        var isOn: Int32 = 1
        // Four bytes of a local, which the kernel copies.
        unsafe setsockopt(reserved.number, SOL_SOCKET, SO_REUSEADDR, &isOn, 4)
        let address = try #require(SocketAddress(host: "127.0.0.1", port: 0))
        let outcome = try unsafe address.withPointer { unsafe Glibc.bind(reserved.number, $0, $1) }
        #expect(outcome == 0)
        let listener = try Listener(host: "127.0.0.1", port: SocketAddress.local(of: reserved).port)
        #expect(listen(reserved.number, 1) == -1 && errno == EADDRINUSE)
        #expect(try listener.port() > 0)
    }

    @Test func `rejects a host that is not an address, and a port in use`() throws {
        let other = try Listener(host: "127.0.0.1", port: 0)
        let port = try other.port()
        #expect(throws: SystemError(errno: EADDRINUSE, call: "bind")) {
            try Listener(host: "127.0.0.1", port: port).port()
        }
        #expect(throws: SystemError(errno: EINVAL, call: "bind")) { try Listener(host: "localhost", port: 0).port() }
        #expect(throws: SystemError(errno: EADDRNOTAVAIL, call: "bind")) {
            try Listener(host: "192.0.2.1", port: 0).port()
        }
    }

    @Test func `reports when no descriptor is left, and can still shed clients`() async {
        await #expect(processExitsWith: .success) {
            var listener = try Listener(host: "127.0.0.1", port: 0)
            let port = try listener.port()
            let address = try #require(SocketAddress(host: "127.0.0.1", port: port))
            let client = FileDescriptor(owning: socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0))
            let number = client.number
            try unsafe address.withPointer { (pointer, length) throws(SystemError) in
                // `address` outlives the call.
                _ = try blockingSystem("connect") { unsafe Glibc.connect(number, pointer, length) }
            }
            let next = dup(number)
            var limit = rlimit(rlim_cur: rlim_t(next), rlim_max: rlim_t(next))
            // The kernel reads the limit before the call returns.
            precondition(unsafe setrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit) == 0)
            // Descriptors that other code of the process has closed in the meantime.
            while dup(number) >= 0 {}
            guard case .outOfDescriptors(let error) = listener.accept() else {
                preconditionFailure("a descriptor was left")
            }
            precondition(error.isOutOfDescriptors)
            precondition(listener.shedOne())
            let end = try receive(from: client)
            precondition(end == "")
        }
    }
}
