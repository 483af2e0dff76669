import CLinux
import Glibc

/// A listening TCP socket.
public struct Listener: ~Copyable, Sendable {
    /// Clients that may stand in the accept queue; the kernel lowers it to net.core.somaxconn.
    public static let backlog: Int32 = 4096
    /// What the kernel holds of answers that it cannot send yet, for each client: it would take some megabytes, which are
    /// charged to the process's cgroup and counted nowhere.
    private static let unsentByteLimit: Int32 = 262_144

    /// Descriptors that a listener has open: its socket and the reserve.
    public static let descriptorCount = 2

    /// A client that was accepted, or why there is none.
    public enum Acceptance: ~Copyable {
        case client(FileDescriptor, SocketAddress)
        /// The queue is empty.
        case none
        /// This client is gone again (ECONNABORTED and the like); the next one may be there.
        case lost(SystemError)
        /// No descriptor is left: the client stays in the queue.
        case outOfDescriptors(SystemError)
    }

    public let descriptor: FileDescriptor
    /// Given up for a moment to accept and close a client when no descriptor is left, so that the queue moves on.
    private var reserve: FileDescriptor?

    /// Binds and listens. Several listeners of a process may share one port: the kernel spreads clients over them. The first
    /// one shares it with nobody who was there before, nor with another process that comes at the same moment: clients
    /// would be spread over both, unnoticed.
    ///
    /// - Parameters:
    ///   - host: a numeric address; `::`, however it is spelled, takes IPv4 clients too, and becomes `0.0.0.0` where there is no
    ///     IPv6.
    ///   - port: 0 lets the kernel choose.
    ///   - isFirst: whether no other listener of this process has the port.
    /// - Throws: `SystemError`; `EINVAL` for a host that is no address, `EADDRINUSE` when another process has the port.
    public init(host: String, port: UInt16, isFirst: Bool = true) throws(SystemError) {
        do {
            descriptor = try Self.bind(host: host, port: port, isFirst: isFirst)
        } catch let error where Self.isDualStack(host) && error.errno == EAFNOSUPPORT {
            descriptor = try Self.bind(host: "0.0.0.0", port: port, isFirst: isFirst)
        }
        clinux_limit_unsent(descriptor.number, Self.unsentByteLimit)
        reserve = Self.openReserve()
    }

    /// Whether a number names a TCP socket that listens; any number may be asked about.
    public static func isListening(_ number: Int32) -> Bool {
        func option(_ name: Int32) -> Int32? {
            var value: Int32 = 0
            var length = socklen_t(MemoryLayout<Int32>.size)
            // `value` is as long as `length` says.
            return unsafe getsockopt(number, SOL_SOCKET, name, &value, &length) == 0 ? value : nil
        }
        let families = [AF_INET, AF_INET6]
        return option(SO_ACCEPTCONN) == 1 && option(SO_TYPE) == Int32(SOCK_STREAM.rawValue)
            && option(SO_DOMAIN).map(families.contains) == true
    }

    /// Takes a share in a socket that listens already, as a service manager passes it; `number` stays its owner's.
    public init(duplicating number: Int32) throws(SystemError) {
        let copy = try FileDescriptor(duplicating: number)
        let duplicate = copy.number
        _ = try blockingSystem("fcntl") { clinux_set_nonblocking(duplicate) }
        descriptor = copy
        clinux_limit_unsent(descriptor.number, Self.unsentByteLimit)
        reserve = Self.openReserve()
    }

    /// The port it listens on.
    public func port() throws(SystemError) -> UInt16 {
        try SocketAddress.local(of: descriptor).port
    }

    /// Accepts one client: non-blocking, closed on exec, small writes sent at once.
    public func accept() -> Acceptance {
        var storage = sockaddr_storage()
        do {
            // accept4 writes the address into `storage`, which is large enough for any family.
            let attempt = try system("accept") { unsafe clinux_accept(descriptor.number, &storage) }
            guard case .done(let number) = attempt else { return .none }
            let client = FileDescriptor(owning: number)
            var one: Int32 = 1
            // Refused only when the client is gone already; its first read will tell.
            _ = unsafe setsockopt(number, Int32(IPPROTO_TCP), TCP_NODELAY, &one, socklen_t(MemoryLayout<Int32>.size))
            return .client(client, SocketAddress(storage))
        } catch {
            return error.isOutOfDescriptors ? .outOfDescriptors(error) : .lost(error)
        }
    }

    /// Whether a client stands in the accept queue.
    public var hasClient: Bool {
        var watch = pollfd(fd: descriptor.number, events: Int16(POLLIN), revents: 0)
        // One entry, which outlives the call; a limit of 0 never waits.
        return unsafe poll(&watch, 1, 0) == 1 && watch.revents & Int16(POLLIN) != 0
    }

    /// With no descriptor left: closes one waiting client instead of leaving it without an answer.
    ///
    /// - Returns: whether one was closed.
    public mutating func shedOne() -> Bool {
        if reserve == nil {
            reserve = Self.openReserve()
            return false
        }
        reserve = nil
        var storage = sockaddr_storage()
        // As in `accept`; the client is closed at once, so neither its address nor an error matters.
        let number = unsafe clinux_accept(descriptor.number, &storage)
        if number >= 0 { _ = FileDescriptor(owning: number) }
        reserve = Self.openReserve()
        return number >= 0
    }

    private static func isDualStack(_ host: String) -> Bool { SocketAddress(host: host, port: 0)?.isDualStack == true }

    private static func openReserve() -> FileDescriptor? {
        let number = clinux_open_null()
        return number < 0 ? nil : FileDescriptor(owning: number)
    }

    private static func bind(host: String, port: UInt16, isFirst: Bool) throws(SystemError) -> FileDescriptor {
        guard let address = SocketAddress(host: host, port: port) else {
            throw SystemError(errno: EINVAL, call: "bind")
        }
        let kind = Int32(SOCK_STREAM.rawValue) | Int32(SOCK_NONBLOCK.rawValue) | Int32(SOCK_CLOEXEC.rawValue)
        let socket = FileDescriptor(owning: try blockingSystem("socket") { Glibc.socket(address.family, kind, 0) })
        try enable(SOL_SOCKET, SO_REUSEADDR, true, socket)
        try enable(SOL_SOCKET, SO_REUSEPORT, !isFirst, socket)
        if address.family == AF_INET6 { try enable(Int32(IPPROTO_IPV6), IPV6_V6ONLY, !address.isDualStack, socket) }
        try unsafe address.withPointer { (pointer, length) throws(SystemError) in
            // `address` outlives the call, and the length is its family's.
            _ = try blockingSystem("bind") { unsafe Glibc.bind(socket.number, pointer, length) }
        }
        _ = try blockingSystem("listen") { Glibc.listen(socket.number, backlog) }
        // Two sockets may be bound to a port, but without this option one alone listens on it (socket(7)). Now it is this one,
        // and those of the same user that come after it may listen beside it.
        try enable(SOL_SOCKET, SO_REUSEPORT, true, socket)
        return socket
    }

    private static func enable(
        _ level: Int32, _ option: Int32, _ isOn: Bool, _ socket: borrowing FileDescriptor
    ) throws(SystemError) {
        var value: Int32 = isOn ? 1 : 0
        let number = socket.number
        // The kernel copies four bytes of `value` before the call returns.
        _ = try blockingSystem("setsockopt") {
            unsafe setsockopt(number, level, option, &value, socklen_t(MemoryLayout<Int32>.size))
        }
    }
}
