import Glibc
import Reactor

/// One GET over a socket of its own, finished within a limit however slowly bytes arrive.
struct Probe {
    enum Failure: Error, CustomStringConvertible {
        case system(call: String, errno: Int32)
        case timedOut
        case notHTTP
        case status(Int)

        var description: String {
            switch self {
            // strerror's text is valid until the next call, and there is one thread.
            case .system(let call, let errno): "\(call): \(unsafe String(cString: strerror(errno)))"
            case .timedOut: "no answer in time"
            case .notHTTP: "the answer is not HTTP"
            case .status(let status): "status \(status)"
            }
        }
    }

    private let address: IPAddress
    private let port: UInt16
    private let userAgent: String
    private let deadline: ContinuousClock.Instant

    init(host: String, port: UInt16, userAgent: String, limit: Duration) {
        guard let address = IPAddress(host) else { fatalError("HOST was checked to be an address") }
        // A server on all addresses accepts IPv4 too, and listens on IPv4 only where there is no IPv6.
        self.address = address.isUnspecified ? IPAddress(v4: 0x7F00_0001) : address
        self.port = port
        self.userAgent = userAgent
        deadline = ContinuousClock.now + limit
    }

    func status(of path: String) throws(Failure) -> Int {
        let family = address.isV4 ? AF_INET : AF_INET6
        let type = Int32(SOCK_STREAM.rawValue) | Int32(SOCK_NONBLOCK.rawValue) | Int32(SOCK_CLOEXEC.rawValue)
        let socket = socket(family, type, 0)
        guard socket >= 0 else { throw .system(call: "socket", errno: errno) }
        defer { _ = close(socket) }
        try connect(socket)
        try send(request(for: path), to: socket)
        return try statusCode(from: socket)
    }

    private func request(for path: String) -> [UInt8] {
        let host = address.isV4 ? "\(address)" : "[\(address)]"
        let head = [
            "GET \(path) HTTP/1.1", "Host: \(host):\(port)", "User-Agent: \(userAgent)",
            "Accept: application/json", "Connection: close",
        ]
        return Array((head.joined(separator: "\r\n") + "\r\n\r\n").utf8)
    }

    private func connect(_ socket: Int32) throws(Failure) {
        let result: Int32
        if address.isV4 {
            var name = sockaddr_in()
            name.sin_family = sa_family_t(AF_INET)
            name.sin_port = port.bigEndian
            name.sin_addr.s_addr = UInt32(truncatingIfNeeded: address.low).bigEndian
            result = begin(socket, &name)
        } else {
            var name = sockaddr_in6()
            name.sin6_family = sa_family_t(AF_INET6)
            name.sin6_port = port.bigEndian
            // Both have sixteen bytes, the most significant first.
            unsafe withUnsafeMutableBytes(of: &name.sin6_addr) { bytes in
                unsafe bytes.storeBytes(of: address.high.bigEndian, as: UInt64.self)
                unsafe bytes.storeBytes(of: address.low.bigEndian, toByteOffset: 8, as: UInt64.self)
            }
            result = begin(socket, &name)
        }
        guard result != 0 else { return }
        guard errno == EINPROGRESS else { throw .system(call: "connect", errno: errno) }
        try wait(for: POLLOUT, on: socket)
        var problem: Int32 = 0
        var length = socklen_t(MemoryLayout<Int32>.size)
        // `length` is the size of `problem`.
        guard unsafe getsockopt(socket, SOL_SOCKET, SO_ERROR, &problem, &length) == 0 else {
            throw .system(call: "getsockopt", errno: errno)
        }
        guard problem == 0 else { throw .system(call: "connect", errno: problem) }
    }

    private func begin<Name>(_ socket: Int32, _ name: inout Name) -> Int32 {
        // Every sockaddr_* begins like a sockaddr; the pointer does not outlive the call.
        unsafe withUnsafePointer(to: &name) { pointer in
            unsafe pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { generic in
                unsafe Glibc.connect(socket, generic, socklen_t(MemoryLayout<Name>.size))
            }
        }
    }

    private func send(_ bytes: [UInt8], to socket: Int32) throws(Failure) {
        var rest = bytes[...]
        while !rest.isEmpty {
            // The pointer lives as long as the call; a closed peer is an error here, not a signal.
            let sent = unsafe rest.withUnsafeBytes { bytes in
                unsafe Glibc.send(socket, bytes.baseAddress, bytes.count, Int32(MSG_NOSIGNAL))
            }
            if sent > 0 {
                rest = rest.dropFirst(sent)
            } else if errno == EAGAIN {
                try wait(for: POLLOUT, on: socket)
            } else if errno != EINTR {
                throw .system(call: "send", errno: errno)
            }
        }
    }

    /// Reads up to the code in `HTTP/1.1 200 ` and no further, RFC 9112 §4.
    private func statusCode(from socket: Int32) throws(Failure) -> Int {
        var line: [UInt8] = []
        while line.count < 13 {
            var buffer = InlineArray<13, UInt8>(repeating: 0)
            var bytes = buffer.mutableSpan
            let wanted = 13 - line.count
            // The buffer is never shorter than `wanted`.
            let count = unsafe bytes.withUnsafeMutableBytes { unsafe recv(socket, $0.baseAddress, wanted, 0) }
            if count > 0 {
                for index in 0..<count { line.append(bytes[index]) }
            } else if count == 0 {
                throw .notHTTP
            } else if errno == EAGAIN {
                try wait(for: POLLIN, on: socket)
            } else if errno != EINTR {
                throw .system(call: "recv", errno: errno)
            }
        }
        let code = String(decoding: line[9..<12], as: UTF8.self)
        guard line.starts(with: "HTTP/1.".utf8), line[8] == 0x20, line[12] == 0x20 || line[12] == 0x0D,
            let status = Int(code), 100...599 ~= status
        else { throw .notHTTP }
        return status
    }

    private func wait(for event: Int32, on socket: Int32) throws(Failure) {
        while true {
            let left = (deadline - .now) / .milliseconds(1)
            guard left > 0 else { throw .timedOut }
            var entry = pollfd(fd: socket, events: Int16(event), revents: 0)
            // One entry, as the count says. Rounded up, so that the last fraction of a millisecond does not become a
            // busy loop.
            let ready = unsafe poll(&entry, 1, Int32(left.rounded(.up)))
            if ready > 0 { return }
            if ready < 0 && errno != EINTR { throw .system(call: "poll", errno: errno) }
        }
    }
}
