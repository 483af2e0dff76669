import CLinux
import FoundationEssentials
import Glibc
import Reactor

/// The service manager's side of the process: sockets it passes (sd_listen_fds(3)) and words it waits for (sd_notify(3)).
/// Without one, nothing here does anything.
struct ServiceManager: Sendable {
    /// The first descriptor that is passed.
    private static let firstSocket: Int32 = 3
    /// While the start goes on, the manager is asked for so much more time …
    private static let extensionSeconds = 30
    /// … so often …
    private static let extensionPause: UInt64 = 10_000_000_000
    /// … and no more after so long, in nanoseconds: twice what a step of the migrations may take. From then on the
    /// manager's own limit holds.
    private static let longestStart: UInt64 = 7_200_000_000_000

    private let variables: ServiceVariables

    /// To be made before the process opens a descriptor, which would take the number of one that was not passed.
    ///
    /// - Throws: everything that is wrong with what the manager told.
    init() throws(ConfigurationErrors) {
        let (variables, errors) = Self.examine()
        guard errors.isEmpty else { throw ConfigurationErrors(errors: errors) }
        self.variables = variables
    }

    /// What is told, and what is wrong with it, for a process that has no descriptor of its own yet.
    static func examine() -> (variables: ServiceVariables, errors: [ConfigurationError]) {
        let environment = ProcessInfo.processInfo.environment
        var (variables, errors) = ServiceVariables.examine(process: getpid()) { environment[$0] }
        if variables.passesSocket && !Listener.isListening(firstSocket) {
            errors.append(
                ConfigurationError(
                    variable: "LISTEN_FDS",
                    problem: "says that descriptor \(firstSocket) listens for TCP, and it does not"))
        }
        return (variables, errors)
    }

    /// The number of the socket to listen on instead of binding one; nil when none was passed to this process.
    var socket: Int32? { variables.passesSocket ? Self.firstSocket : nil }

    /// Asks for more time as long as the start has not ended: a step of a migration may take longer than the manager waits.
    func starting(on loop: EventLoop, until hasEnded: @escaping @Sendable () -> Bool) {
        guard variables.notifySocket != nil else { return }
        Task(executorPreference: loop) {
            let end = EventLoop.monotonicNanoseconds() + Self.longestStart
            while !hasEnded() && EventLoop.monotonicNanoseconds() < end {
                send("EXTEND_TIMEOUT_USEC=\(Self.extensionSeconds)000000")
                await loop.pause(nanoseconds: Self.extensionPause)
            }
        }
    }

    /// Says that the service serves, and from then on that every loop still turns, as often as asked.
    func ready(_ loops: [EventLoop]) {
        send("READY=1")
        guard let limit = variables.watchdogMicroseconds else { return }
        Task(executorPreference: loops[0]) {
            while !Task.isCancelled {
                // A loop that is stuck holds this back, and that is the message.
                for loop in loops { await loop.perform {} }
                send("WATCHDOG=1")
                await loops[0].pause(nanoseconds: limit * 1000 / 3)
            }
        }
    }

    /// Says that the end has begun.
    func stopping() {
        send("STOPPING=1")
    }

    private func send(_ state: String) {
        guard let path = variables.notifySocket else { return }
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        let bytes = Array(path.utf8)
        precondition(bytes.count < MemoryLayout.size(ofValue: address.sun_path), "a socket's path is too long")
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
