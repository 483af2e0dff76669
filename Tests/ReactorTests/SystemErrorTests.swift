import Glibc
import Testing

@testable import Reactor

struct SystemErrorTests {
    @Test func `names the call, the reason and the number`() {
        #expect(SystemError(errno: EADDRINUSE, call: "bind").description == "bind: Address already in use (errno 98)")
        #expect("\(SystemError(errno: ECONNRESET, call: "read"))" == "read: Connection reset by peer (errno 104)")
        #expect(SystemError(errno: 9999, call: "x").description.hasSuffix("(errno 9999)"))
    }

    @Test func `recognizes that no descriptor is left`() {
        #expect(SystemError(errno: EMFILE, call: "accept").isOutOfDescriptors)
        #expect(SystemError(errno: ENFILE, call: "accept").isOutOfDescriptors)
        #expect(SystemError(errno: ENOBUFS, call: "accept").isOutOfDescriptors)
        #expect(SystemError(errno: ENOMEM, call: "accept").isOutOfDescriptors)
        #expect(!SystemError(errno: ECONNABORTED, call: "accept").isOutOfDescriptors)
    }

    @Test func `repeats an interrupted call`() throws {
        var calls = 0
        let attempt = try system("test") { () -> Int in
            calls += 1
            if calls == 5 { return 42 }
            errno = EINTR
            return -1
        }
        guard case .done(42) = attempt else {
            Issue.record("\(attempt)")
            return
        }
        #expect(calls == 5)
    }

    @Test func `a call that would block is a value, or an error where it cannot be`() throws {
        let block = { () -> Int32 in
            errno = EAGAIN
            return -1
        }
        guard case .wouldBlock = try system("test", block) else {
            Issue.record("EAGAIN was not taken for would block")
            return
        }
        #expect(throws: SystemError(errno: EAGAIN, call: "test")) { try blockingSystem("test", block) }
    }

    @Test func `throws errors with an outside cause`() {
        #expect(throws: SystemError(errno: EPIPE, call: "send")) {
            try system("send") { () -> Int in
                errno = EPIPE
                return -1
            }
        }
    }

    @Test func `traps on errors that only a bug can cause`() async {
        await #expect(processExitsWith: .failure) {
            _ = try system("read") { () -> Int in
                errno = EBADF
                return -1
            }
        }
        await #expect(processExitsWith: .failure) {
            _ = try system("read") { () -> Int in
                errno = EFAULT
                return -1
            }
        }
    }
}
