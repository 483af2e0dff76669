import Glibc
import Reactor

/// A client with a blocking socket on the loopback. Every wait is limited by `patience`.
final class Client {
    /// Seconds: far more than any response takes, and less than a test's time limit.
    private static let patience = 10

    enum Failure: Error {
        case noConnection
        /// Neither bytes nor the end of the stream arrived in time; carries the bytes received so far.
        case timedOut(String)
        /// The connection ended within a response.
        case ended(String)
    }

    struct Answer {
        let status: Int
        /// The head as received, including its blank line.
        let head: String
        let body: String

        /// The first value of a field, nil when absent.
        func field(_ name: String) -> String? {
            let prefix = name.lowercased() + ": "
            let line = head.split(separator: "\r\n").first { $0.lowercased().hasPrefix(prefix) }
            return line.map { String($0.dropFirst(prefix.count)) }
        }
    }

    private let socket: FileDescriptor
    private var received: [UInt8] = []

    /// - Parameter window: approximate size of the receive buffer in bytes; nil: the system's default.
    init(port: UInt16, window: Int32? = nil) throws {
        let socket = FileDescriptor(owning: Glibc.socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0))
        guard socket.number >= 0 else { throw Failure.noConnection }
        var limit = timeval(tv_sec: Self.patience, tv_usec: 0)
        // The kernel copies each option's value before the call returns.
        for option in [SO_RCVTIMEO, SO_SNDTIMEO] {
            unsafe setsockopt(socket.number, SOL_SOCKET, option, &limit, socklen_t(MemoryLayout<timeval>.size))
        }
        if var window {
            unsafe setsockopt(socket.number, SOL_SOCKET, SO_RCVBUF, &window, socklen_t(MemoryLayout<Int32>.size))
        }
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = port.bigEndian
        address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
        // A sockaddr_in begins with a sockaddr, and the length is that of the structure.
        let outcome = unsafe withUnsafePointer(to: &address) { pointer in
            unsafe pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                unsafe connect(socket.number, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
            }
        }
        guard outcome == 0 else { throw Failure.noConnection }
        self.socket = socket
    }

    func send(_ text: String) throws {
        let bytes = Array(text.utf8)
        var sent = 0
        while sent < bytes.count {
            // The kernel copies the bytes before the call returns.
            let attempt = try unsafe bytes.withUnsafeBytes { try unsafe socket.send(.init(rebasing: $0[sent...])) }
            guard case .done(let count) = attempt else { throw Failure.timedOut("while sending") }
            sent += count
        }
    }

    /// Shuts down the write side; reading remains possible.
    func finish() {
        socket.shutdownWrite()
    }

    /// Reads the next response.
    ///
    /// - Parameter toHead: whether the response is one to HEAD, without a body.
    func answer(toHead: Bool = false) throws -> Answer {
        var headEnd: Int?
        while headEnd == nil {
            headEnd = received.firstRange(of: Array("\r\n\r\n".utf8))?.upperBound
            if headEnd == nil, try !receive() { throw Failure.ended(take(received.count)) }
        }
        let head = take(headEnd ?? 0)
        let status = Int(head.dropFirst("HTTP/1.1 ".count).prefix(3)) ?? 0
        let length = Answer(status: status, head: head, body: "").field("Content-Length").flatMap { Int($0) } ?? 0
        while !toHead && received.count < length {
            if try !receive() { throw Failure.ended(head + take(received.count)) }
        }
        return Answer(status: status, head: head, body: take(toHead ? 0 : length))
    }

    /// Reads to the end of the stream.
    ///
    /// - Parameter pieceByteCount: maximum bytes per read.
    func rest(inPiecesOf pieceByteCount: Int = 65_536) throws -> String {
        while try receive(atMost: pieceByteCount) {}
        return take(received.count)
    }

    /// - Returns: false at the end of the stream.
    private func receive(atMost byteCount: Int = 65_536) throws -> Bool {
        var chunk = [UInt8](repeating: 0, count: byteCount)
        // The pointer does not outlive the call.
        let attempt = try unsafe chunk.withUnsafeMutableBytes { try unsafe socket.receive(into: $0) }
        guard case .done(let count) = attempt else { throw Failure.timedOut(take(received.count)) }
        received.append(contentsOf: chunk[..<count])
        return count > 0
    }

    private func take(_ count: Int) -> String {
        defer { received.removeFirst(count) }
        return String(decoding: received[..<count], as: UTF8.self)
    }
}

/// Sockets of this process whose local port is `port`.
func openSockets(on port: UInt16) -> Int {
    var count = 0
    // The limit may be higher, but descriptors are assigned from the lowest number on.
    for number in Int32(0)..<4096 {
        var address = sockaddr_in()
        var length = socklen_t(MemoryLayout<sockaddr_in>.size)
        // As above; an address of another family is truncated to the length.
        let outcome = unsafe withUnsafeMutablePointer(to: &address) { pointer in
            unsafe pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                unsafe getsockname(number, $0, &length)
            }
        }
        let isOurs = outcome == 0 && Int32(address.sin_family) == AF_INET
        if isOurs && UInt16(bigEndian: address.sin_port) == port { count += 1 }
    }
    return count
}
