import Glibc
import Reactor
import Testing

struct FileDescriptorTests {
    @Test func `closes when its owner is released`() throws {
        var numbers: [Int32] = [-1, -1]
        // Two numbers are written into an array of two.
        try #require(unsafe socketpair(AF_UNIX, Int32(SOCK_STREAM.rawValue), 0, &numbers) == 0)
        let far = FileDescriptor(owning: numbers[1])
        do {
            let near = FileDescriptor(owning: numbers[0])
            try send("still there", to: near)
            #expect(try receive(from: far) == "still there")
        }
        // A blocking read: it returns because the last duplicate of the other end is closed.
        #expect(try receive(from: far) == "")
    }

    @Test func `a read without data would block`() throws {
        let pair = SocketPair()
        #expect(try receive(from: pair.near) == nil)
        try send("abc", to: pair.far)
        #expect(try receive(from: pair.near, atMost: 2) == "ab")
        #expect(try receive(from: pair.near) == "c")
        #expect(try receive(from: pair.near) == nil)
    }

    @Test func `a write sends what fits and then would block`() throws {
        let pair = SocketPair()
        let bytes = [UInt8](repeating: 0x78, count: 1 << 20)
        var taken = 0
        while true {
            // The kernel copies the bytes before the call returns.
            let attempt = try unsafe bytes.withUnsafeBytes { try unsafe pair.near.send($0) }
            guard case .done(let count) = attempt else { break }
            taken += count
        }
        #expect(taken > 0)
        #expect(try receive(from: pair.far) == String(repeating: "x", count: 1000))
    }

    @Test func `shutting down the write side leaves the read side open`() throws {
        let pair = SocketPair()
        pair.near.shutdownWrite()
        #expect(try receive(from: pair.far) == "")
        try send("answer", to: pair.far)
        #expect(try receive(from: pair.near) == "answer")
    }

    @Test func `writing to a closed peer is an error, not a signal`() throws {
        let near: FileDescriptor
        do {
            var numbers: [Int32] = [-1, -1]
            // Two numbers are written into an array of two.
            try #require(unsafe socketpair(AF_UNIX, Int32(SOCK_STREAM.rawValue), 0, &numbers) == 0)
            near = FileDescriptor(owning: numbers[0])
            _ = FileDescriptor(owning: numbers[1])
        }
        do {
            try send("x", to: near)
            Issue.record("the write succeeded")
        } catch let error as SystemError {
            #expect(error.errno == EPIPE && error.call == "send")
        }
    }
}
