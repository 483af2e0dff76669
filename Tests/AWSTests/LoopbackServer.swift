import Glibc

@testable import AWS

/// A small HTTP server on a separate thread, one request per connection.
final class LoopbackServer: Sendable {
    struct Request: Sendable {
        let method: String
        let path: String
        /// Names are in lower case.
        let headers: [String: String]
        let body: String
    }

    enum Reply: Sendable {
        case answer(Int, String = "", location: String? = nil)
        /// Reads the request and never responds.
        case silence
        /// Closes the connection without a response.
        case end
    }

    let url: String
    private let listener: Int32
    private let log = Lock<[Request]>([])
    private let silent = Lock<[Int32]>([])
    private let respond: @Sendable (Request) -> Reply

    /// Serves while `body` runs.
    @discardableResult
    func run<Value>(_ body: (LoopbackServer) throws -> Value) throws -> Value {
        let thread = Thread { self.serve() }
        defer {
            // Wakes the thread that waits for a connection.
            shutdown(listener, Int32(SHUT_RDWR))
            thread.join()
            close(listener)
            silent.withLock { for socket in $0 { close(socket) } }
        }
        return try body(self)
    }

    /// The requests received so far.
    var requests: [Request] { log.withLock { $0 } }

    init(_ respond: @escaping @Sendable (Request) -> Reply) {
        self.respond = respond
        let listener = socket(AF_INET, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
        var length = socklen_t(MemoryLayout<sockaddr_in>.size)
        // A sockaddr_in begins with a sockaddr, and the length is that of the structure.
        unsafe withUnsafeMutablePointer(to: &address) { pointer in
            unsafe pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                precondition(unsafe bind(listener, $0, length) == 0 && listen(listener, 16) == 0, "no listener")
                precondition(unsafe getsockname(listener, $0, &length) == 0, "no address")
            }
        }
        self.listener = listener
        url = "http://127.0.0.1:\(UInt16(bigEndian: address.sin_port))"
    }

    private func serve() {
        while true {
            let socket = accept(listener, nil, nil)
            guard socket >= 0 else { return }
            var reply = Reply.end
            if let request = read(from: socket) {
                log.withLock { $0.append(request) }
                reply = respond(request)
            }
            switch reply {
            case .answer(let status, let body, let location):
                var text = "HTTP/1.1 \(status) X\r\nContent-Length: \(body.utf8.count)\r\nConnection: close\r\n"
                if let location { text += "Location: \(location)\r\n" }
                write(text + "\r\n" + body, to: socket)
                close(socket)
            case .silence: silent.withLock { $0.append(socket) }
            case .end: close(socket)
            }
        }
    }

    private func read(from socket: Int32) -> Request? {
        var bytes: [UInt8] = []
        var headEnd: Int?
        var wanted = 0
        var request: Request?
        while true {
            if headEnd == nil, let end = bytes.firstRange(of: Array("\r\n\r\n".utf8))?.upperBound {
                headEnd = end
                request = Self.head(String(decoding: bytes[..<end], as: UTF8.self))
                wanted = end + (request?.headers["content-length"].flatMap { Int($0) } ?? 0)
            }
            if let headEnd, let request, bytes.count >= wanted {
                return Request(
                    method: request.method, path: request.path, headers: request.headers,
                    body: String(decoding: bytes[headEnd..<wanted], as: UTF8.self))
            }
            var chunk = [UInt8](repeating: 0, count: 65_536)
            // The array outlives the call, and the count is its own.
            let count = unsafe recv(socket, &chunk, chunk.count, 0)
            guard count > 0 else { return nil }
            bytes += chunk[..<count]
        }
    }

    private static func head(_ text: String) -> Request {
        let lines = text.split(separator: "\r\n")
        let words = lines[0].split(separator: " ").map(String.init)
        let fields = lines.dropFirst().map { line in
            let parts = line.split(separator: ":", maxSplits: 1)
            return (parts[0].lowercased(), parts.count == 2 ? String(parts[1].drop { $0 == " " }) : "")
        }
        return Request(
            method: words[0], path: words[1], headers: Dictionary(fields, uniquingKeysWith: { $0 + ", " + $1 }),
            body: "")
    }

    private func write(_ text: String, to socket: Int32) {
        var rest = Array(text.utf8)[...]
        while !rest.isEmpty {
            // The kernel copies the bytes before the call returns.
            let count = unsafe rest.withUnsafeBytes {
                unsafe Glibc.send(socket, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL))
            }
            guard count > 0 else { return }
            rest = rest.dropFirst(count)
        }
    }
}

/// A thread that runs its body once.
struct Thread {
    private final class Body: Sendable {
        let run: @Sendable () -> Void
        init(_ run: @escaping @Sendable () -> Void) { self.run = run }
    }

    private let thread: pthread_t

    init(_ run: @escaping @Sendable () -> Void) {
        // The new thread takes over the reference.
        let context = unsafe Unmanaged.passRetained(Body(run)).toOpaque()
        var thread = pthread_t()
        let outcome = unsafe pthread_create(
            &thread, nil,
            { context in
                // pthread_create passes the pointer on unchanged.
                unsafe Unmanaged<Body>.fromOpaque(context!).takeRetainedValue().run()
                return nil
            }, context)
        precondition(outcome == 0, "no thread")
        self.thread = thread
    }

    func join() {
        pthread_join(thread, nil)
    }
}
