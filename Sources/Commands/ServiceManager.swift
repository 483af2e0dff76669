import CLinux
import FoundationEssentials
import Glibc
import Reactor

/// The service manager's side of the process: sockets it passes (sd_listen_fds(3)) and words it waits for (sd_notify(3)).
/// Without one, nothing here does anything.
struct ServiceManager {
    /// The first descriptor that is passed.
    private static let firstSocket: Int32 = 3

    private let loops: [EventLoop]

    init(loops: [EventLoop]) {
        self.loops = loops
    }

    /// The number of the socket to listen on instead of binding one; nil when none was passed to this process.
    static func socket() throws(SystemError) -> Int32? {
        let environment = ProcessInfo.processInfo.environment
        guard let count = environment["LISTEN_FDS"].flatMap({ Int($0) }), count > 0,
            environment["LISTEN_PID"].map({ $0 == String(getpid()) }) ?? true
        else { return nil }
        return firstSocket
    }

    /// Says that the service serves, and from then on that every loop still turns, as often as asked.
    func ready() {
        Self.send("READY=1")
        let environment = ProcessInfo.processInfo.environment
        guard let limit = environment["WATCHDOG_USEC"].flatMap({ UInt64($0) }), limit > 0 else { return }
        let loops = loops
        Task {
            while !Task.isCancelled {
                // A loop that is stuck holds this back, and that is the message.
                for loop in loops { await loop.perform {} }
                Self.send("WATCHDOG=1")
                await loops[0].pause(nanoseconds: limit * 1000 / 3)
            }
        }
    }

    /// Says that the end has begun.
    static func stopping() {
        send("STOPPING=1")
    }

    private static func send(_ state: String) {
        guard let path = ProcessInfo.processInfo.environment["NOTIFY_SOCKET"], !path.isEmpty else { return }
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        let bytes = Array(path.utf8)
        let capacity = MemoryLayout.size(ofValue: address.sun_path)
        guard bytes.count < capacity else { return }
        // The name fits; a leading @ stands for the NUL of the abstract name space.
        unsafe withUnsafeMutableBytes(of: &address.sun_path) { raw in
            for (index, byte) in bytes.enumerated() { unsafe raw[index] = byte }
            if bytes.first == UInt8(ascii: "@") { unsafe raw[0] = 0 }
        }
        let length = socklen_t(MemoryLayout<sa_family_t>.size + bytes.count)
        let number = Glibc.socket(AF_UNIX, Int32(SOCK_DGRAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
        guard number >= 0 else { return }
        let socket = FileDescriptor(owning: number)
        // The address and the text outlive the call; a manager that is not there needs no word.
        _ = unsafe withUnsafePointer(to: &address) { pointer in
            unsafe pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { generic in
                unsafe sendto(socket.number, state, state.utf8.count, Int32(MSG_NOSIGNAL), generic, length)
            }
        }
    }
}
