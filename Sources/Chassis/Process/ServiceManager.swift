import CLinux
import FoundationEssentials
import Glibc
import Platform
import Reactor

/// The process's interface to a service manager: passed sockets (sd_listen_fds(3)) and notifications (sd_notify(3)).
/// Without a service manager all functions do nothing.
struct ServiceManager: Sendable {
    /// The first passed descriptor.
    private static let firstSocket: Int32 = 3
    /// During the start the manager is asked for this much more time …
    private static let extensionSeconds = 30
    /// … at this interval …
    private static let extensionPause = Duration.seconds(10)
    /// … for at most this long: twice the longest migration step. From then on the manager's own limit
    /// applies.
    private static let longestStart = Duration.seconds(7200)

    private let variables: ServiceVariables

    /// Create it before the process opens a descriptor, which could get the number of one that was not passed.
    ///
    /// - Throws: all errors in the manager's variables.
    init() throws(ConfigurationErrors) {
        let (variables, errors) = Self.examine()
        guard errors.isEmpty else { throw ConfigurationErrors(errors: errors) }
        self.variables = variables
    }

    /// The manager's variables and their errors, for a process that has no descriptor of its own yet.
    static func examine() -> (variables: ServiceVariables, errors: [ConfigurationError]) {
        let environment = ProcessInfo.processInfo.environment
        var (variables, errors) = ServiceVariables.examine(process: getpid()) { environment[$0] }
        if variables.passesSocket && !Listener.isListening(firstSocket) {
            errors.append(
                ConfigurationError(
                    variable: "LISTEN_FDS",
                    problem: "says that descriptor \(firstSocket) is a listening TCP socket, but it is not"))
        }
        return (variables, errors)
    }

    /// The number of the socket to listen on instead of binding one; nil when none was passed to this process.
    var socket: Int32? { variables.passesSocket ? Self.firstSocket : nil }

    /// Asks for more time until the start has ended, because a migration step may take longer than the manager waits.
    func starting(on loop: EventLoop, until hasEnded: @escaping @Sendable () -> Bool) {
        guard variables.notifySocket != nil else { return }
        Task(executorPreference: loop) {
            let end = Instant.now + Self.longestStart
            while !hasEnded() && Instant.now < end {
                send("EXTEND_TIMEOUT_USEC=\(Self.extensionSeconds)000000")
                await loop.pause(for: Self.extensionPause)
            }
        }
    }

    /// Reports that the service serves, and from then on at the requested interval that every loop still runs.
    func ready(_ loops: [EventLoop]) {
        send("READY=1")
        guard let limit = variables.watchdogLimit else { return }
        Task(executorPreference: loops[0]) {
            while !Task.isCancelled {
                // A blocked loop delays the report, which is its purpose.
                for loop in loops { await loop.perform {} }
                send("WATCHDOG=1")
                await loops[0].pause(for: limit / 3)
            }
        }
    }

    /// Reports that the stop has begun.
    func stopping() {
        send("STOPPING=1")
    }

    private func send(_ state: String) {
        guard let path = variables.notifySocket else { return }
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        let bytes = Array(path.utf8)
        precondition(bytes.count < MemoryLayout.size(ofValue: address.sun_path), "a socket's path is too long")
        // The name fits; a leading @ is replaced by the NUL of the abstract namespace.
        unsafe withUnsafeMutableBytes(of: &address.sun_path) { raw in
            for (index, byte) in bytes.enumerated() { unsafe raw[index] = byte }
            if bytes.first == UInt8(ascii: "@") { unsafe raw[0] = 0 }
        }
        let length = socklen_t(MemoryLayout<sa_family_t>.size + bytes.count)
        let number = Glibc.socket(AF_UNIX, Int32(SOCK_DGRAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
        guard number >= 0 else { return }
        let socket = FileDescriptor(owning: number)
        // The address and the text outlive the call; errors are ignored, because the manager may be gone.
        _ = unsafe withUnsafePointer(to: &address) { pointer in
            unsafe pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { generic in
                unsafe sendto(socket.number, state, state.utf8.count, Int32(MSG_NOSIGNAL), generic, length)
            }
        }
    }
}
