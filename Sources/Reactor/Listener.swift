import CLinux
import Glibc

/// A listening TCP socket.
public struct Listener: ~Copyable, Sendable {
    /// Length of the accept queue; the kernel lowers it to net.core.somaxconn.
    public static let backlog: Int32 = 4096
    /// Unsent bytes the kernel buffers per client. Without a limit it takes several megabytes, which are charged to the
    /// process's cgroup but are in no budget.
    private static let unsentByteLimit: Int32 = 262_144

    /// Descriptors that a listener keeps open: its socket and the reserve.
    public static let descriptorCount = 2

    /// The result of accepting.
    public enum Acceptance: ~Copyable {
        case client(FileDescriptor, SocketAddress)
        /// The queue is empty.
        case none
        /// This client has already disconnected (ECONNABORTED and similar errors); the next one may still be there.
        case lost(SystemError)
        /// No descriptor is left; the client stays in the queue.
        case outOfDescriptors(SystemError)
    }

    public let descriptor: FileDescriptor
    /// Closed for a moment when no descriptor is left, to accept one client and close its connection, so that the queue
    /// shrinks.
    private var reserve: FileDescriptor?

    /// Binds and listens. Several listeners of a process may share a port; the kernel distributes clients among them.
    /// The first one must be alone on the port: it fails if another process listens there, or starts to at the same
    /// time, because clients would be distributed among both, unnoticed.
    ///
    /// - Parameters:
    ///   - host: a numeric address. `::` in any spelling also accepts IPv4 clients, and becomes `0.0.0.0` on a machine
    ///     without IPv6.
    ///   - port: 0 lets the kernel choose.
    ///   - isFirst: whether this is the process's first listener on the port.
    /// - Throws: `SystemError`; `EINVAL` when `host` is not an address, `EADDRINUSE` when another process has the port.
    public init(host: String, port: UInt16, isFirst: Bool = true) throws(SystemError) {
        do {
            descriptor = try Self.bind(host: host, port: port, isFirst: isFirst)
        } catch let error where Self.isDualStack(host) && error.errno == EAFNOSUPPORT {
            descriptor = try Self.bind(host: "0.0.0.0", port: port, isFirst: isFirst)
        }
        clinux_limit_unsent(descriptor.number, Self.unsentByteLimit)
        reserve = Self.openReserve()
    }

    /// Whether a number is the descriptor of a listening TCP socket; safe for any number.
    public static func isListening(_ number: Int32) -> Bool {
        func option(_ name: Int32) -> Int32? {
            var value: Int32 = 0
            var length = socklen_t(MemoryLayout<Int32>.size)
            // `value` has the size that `length` says.
            return unsafe getsockopt(number, SOL_SOCKET, name, &value, &length) == 0 ? value : nil
        }
        let families = [AF_INET, AF_INET6]
        return option(SO_ACCEPTCONN) == 1 && option(SO_TYPE) == Int32(SOCK_STREAM.rawValue)
            && option(SO_DOMAIN).map(families.contains) == true
    }

    /// Duplicates a listening socket, such as one that a service manager passes; `number` stays open.
    public init(duplicating number: Int32) throws(SystemError) {
        let copy = try FileDescriptor(duplicating: number)
        let duplicate = copy.number
        _ = try blockingSystem("fcntl") { clinux_set_nonblocking(duplicate) }
        descriptor = copy
        clinux_limit_unsent(descriptor.number, Self.unsentByteLimit)
        reserve = Self.openReserve()
    }

    /// The port it is bound to.
    public func port() throws(SystemError) -> UInt16 {
        try SocketAddress.local(of: descriptor).port
    }

    /// Accepts one client; its socket is non-blocking, close-on-exec and without Nagle's algorithm.
    public func accept() -> Acceptance {
        var storage = sockaddr_storage()
        do {
            // accept4 writes the address into `storage`, which is large enough for any family.
            let attempt = try system("accept") { unsafe clinux_accept(descriptor.number, &storage) }
            guard case .done(let number) = attempt else { return .none }
            let client = FileDescriptor(owning: number)
            var one: Int32 = 1
            // Fails only when the client has disconnected already; the first read will report that.
            _ = unsafe setsockopt(number, Int32(IPPROTO_TCP), TCP_NODELAY, &one, socklen_t(MemoryLayout<Int32>.size))
            return .client(client, SocketAddress(storage))
        } catch {
            return error.isOutOfDescriptors ? .outOfDescriptors(error) : .lost(error)
        }
    }

    /// Whether a client is in the accept queue.
    public var hasClient: Bool {
        var watch = pollfd(fd: descriptor.number, events: Int16(POLLIN), revents: 0)
        // One entry that outlives the call; with a timeout of 0 the call does not wait.
        return unsafe poll(&watch, 1, 0) == 1 && watch.revents & Int16(POLLIN) != 0
    }

    /// Closes one waiting client's connection when no descriptor is left, instead of leaving the client without a
    /// response.
    ///
    /// - Returns: whether a client was closed.
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
            // `address` outlives the call, and the length is that of its family.
            _ = try blockingSystem("bind") { unsafe Glibc.bind(socket.number, pointer, length) }
        }
        _ = try blockingSystem("listen") { Glibc.listen(socket.number, backlog) }
        // Several sockets may be bound to a port, but without this option only one of them can listen (socket(7)). This
        // one does now; listeners of the same user may join it later.
        try enable(SOL_SOCKET, SO_REUSEPORT, true, socket)
        return socket
    }

    private static func enable(
        _ level: Int32, _ option: Int32, _ isOn: Bool, _ socket: borrowing FileDescriptor
    ) throws(SystemError) {
        var value: Int32 = isOn ? 1 : 0
        let number = socket.number
        // The kernel copies the four bytes of `value` before the call returns.
        _ = try blockingSystem("setsockopt") {
            unsafe setsockopt(number, level, option, &value, socklen_t(MemoryLayout<Int32>.size))
        }
    }
}
