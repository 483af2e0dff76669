import Glibc
import HTTPTypes
import Platform
import Postgres
import Synchronization
import Testing

@testable import Chassis
@testable import Reactor
@testable import TestSupport
@testable import Vial

@Suite(.needsServer, .timeLimit(.minutes(1)))
struct QueryAnswerTests {
    /// What `GET /` is answered on a connection of its own; blocks.
    private static func answer(from port: UInt16) -> String {
        let socket = FileDescriptor(owning: Glibc.socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0))
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
        guard outcome == 0 else { return "no connection" }
        let request = Array("GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n".utf8)
        // The kernel copies the bytes before the call returns.
        _ = unsafe request.withUnsafeBytes { unsafe Glibc.send(socket.number, $0.baseAddress, $0.count, 0) }
        var (text, buffer) = ("", [UInt8](repeating: 0, count: 4096))
        while true {
            // Written within the call.
            let count = unsafe buffer.withUnsafeMutableBytes { unsafe recv(socket.number, $0.baseAddress, $0.count, 0) }
            guard count > 0 else { return text }
            text += String(decoding: buffer[..<count], as: UTF8.self)
        }
    }

    /// Waits for a lock, and returns a number.
    private static func question(_ lock: Int) -> Statement {
        Statement("question", "SELECT number FROM (SELECT pg_advisory_xact_lock(\(lock)), 7::int8 AS number) AS waited")
    }

    @Test func `two requests may wait for one answer at the same time, and each gets its own`() async throws {
        let loop = try EventLoop(index: 0)
        try loop.start()
        defer { loop.stop() }
        let pool = Pool(
            on: loop, minimum: 2, maximum: 2, waitLimit: .milliseconds(30_000), statementLimit: .milliseconds(30_000),
            connector: Connector(options: { () throws(DatabaseError) in EmptySchema.options }), observe: { _ in })
        await pool.open()
        let lock = Int(getpid()) << 8 | 1
        let holder = try Session(EmptySchema.options)
        try holder.execute("SELECT pg_advisory_lock(\(lock))")

        let work = await Task(executorPreference: loop) {
            let query = pool.query(Self.question(lock)) { try $0[0].int64(0) }
            let answer = QueryAnswer(query) { number in Answer(status: .ok, body: Array("number \(number)".utf8)) }
            return LoopBound(answer, on: loop)
        }.value
        var app = App()
        app.get("/") { _ in .work(work.value) }
        let started = Mutex(0)
        let made = app
        let options = ServerOptions.withoutPort
        let server = try Server(
            on: [loop], options: options, trusts: { _ in true }, makeApp: { _ in made },
            observe: { _ in { event in if case .started = event { started.withLock { $0 += 1 } } } })
        let running = Task(executorPreference: loop) { try await server.run() }

        let answers = Mutex<[String]>([])
        for _ in 0..<2 {
            try Thread.start {
                let text = Self.answer(from: server.port)
                answers.withLock { $0.append(text) }
            }
        }
        while started.withLock(\.self) < 2 { await loop.pause(for: .milliseconds(1)) }
        try holder.execute("SELECT pg_advisory_unlock(\(lock))")
        while answers.withLock(\.count) < 2 { await loop.pause(for: .milliseconds(1)) }
        for text in answers.withLock(\.self) { #expect(text.hasPrefix("HTTP/1.1 200") && text.hasSuffix("number 7")) }
        running.cancel()
        try await running.value
        await pool.close(within: .milliseconds(1000))
    }
}

extension ServerOptions {
    fileprivate static var withoutPort: ServerOptions {
        var options = ServerOptions()
        options.host = "127.0.0.1"
        options.port = 0
        options.drainTimeout = .milliseconds(1000)
        return options
    }
}
