import HTTP1
import HTTPTypes
import Reactor
import Synchronization
import Testing

@testable import Vial

/// Replies that wait until they are released.
private final class Held: Sendable {
    private let replies = Mutex<[Reply]>([])

    var count: Int { replies.withLock { $0.count } }

    func hold(_ reply: Reply) { replies.withLock { $0.append(reply) } }

    /// Sends them, the last one first.
    func release() {
        let held = replies.withLock { replies in
            defer { replies = [] }
            return replies
        }
        for reply in held.reversed() { reply.send { text("released") } }
    }
}

/// Goes on when it is replied to, whatever the reply.
private final class Resumer: ReplyReceiver {
    let loop: EventLoop? = nil
    private let continuation: CheckedContinuation<Void, Never>
    init(_ continuation: CheckedContinuation<Void, Never>) { self.continuation = continuation }
    func receive(_ make: () throws -> Response) { continuation.resume() }
}

extension OverSockets {
    struct ReplyTests {
        private func get(_ path: String) -> String { "GET \(path) HTTP/1.1\r\nHost: a\r\n\r\n" }

        private func app(_ held: Held = Held()) -> App {
            var app = App()
            app.get("/held") { (_, reply) in held.hold(reply) }
            app.get("/held/count") { _ in text("\(held.count)") }
            app.get("/release") { _ in
                held.release()
                return text("done")
            }
            app.get("/at-once/{name}") { (_, name: String, reply) in reply.send { text("this is \(name)") } }
            app.get("/number/{number}") { (_, number: Int64, reply) in reply.send { text("\(number)") } }
            app.get("/throwing") { (_, reply) in throw HTTPError(.conflict, "Not now.") }
            app.get("/failing") { (_, reply) in reply.send { throw HTTPError(.gone, "No more.") } }
            app.get("/next-turn") { (_, reply) in
                reply.loop?.atNextTurn { reply.send { text("later") } }
            }
            app.get("/suspended") { _ in
                await withCheckedContinuation { continuation in
                    held.hold(Reply(to: Resumer(continuation), deadline: nil))
                }
                return text("late")
            }
            app.post("/size") { (request, reply) in
                let size = request.body.count
                reply.send { text("\(size)") }
            }
            return app
        }

        /// Returns once so many replies are held.
        private func wait(for count: Int, _ client: Client) throws {
            repeat { try client.send(get("/held/count")) } while try client.answer().body != "\(count)"
        }

        @Test func `a reply that comes later is the answer to its own request`() async throws {
            try await withServer(app()) { server in
                let clients = try (0..<3).map { _ in try server.connect() }
                for client in clients { try client.send(get("/held")) }
                let other = try server.connect()
                try wait(for: 3, other)
                try other.send(get("/release"))
                #expect(try other.answer().body == "done")
                for client in clients { #expect(try client.answer().body == "released") }
            }
        }

        @Test func `replies keep the order of pipelined requests, whether they come at once or later`() async throws {
            try await withServer(app()) { server in
                let client = try server.connect()
                let paths = (0..<200).map { ["/next-turn", "/at-once/\($0)", "/number/\($0)"][$0 % 3] }
                try client.send(paths.map(get).joined())
                for (index, path) in paths.enumerated() {
                    let expected = ["later", "this is \(index)", "\(index)"][index % 3]
                    #expect(try client.answer().body == expected, "\(path)")
                }
            }
        }

        @Test(arguments: [("/throwing", 409), ("/failing", 410), ("/number/x", 404)])
        func `errors become answers, before the reply and in it`(path: String, status: Int) async throws {
            try await withServer(app()) { server in
                let client = try server.connect()
                try client.send(get(path) + get("/at-once/a"))
                #expect(try client.answer().status == status)
                #expect(try client.answer().body == "this is a")
            }
            #expect(await app().respond(to: try Request(.get, path)).status.code == status)
        }

        @Test func `a body is the handler's until it returns`() async throws {
            try await withServer(app()) { server in
                let client = try server.connect()
                let fields = "Host: a\r\nContent-Type: application/json\r\nContent-Length: 5\r\n\r\n"
                try client.send("POST /size HTTP/1.1\r\n\(fields)12345POST /size HTTP/1.1\r\n\(fields)12345")
                #expect(try client.answer().body == "5")
                #expect(try client.answer().body == "5")
            }
        }

        @Test(arguments: ["/held", "/suspended"])
        func `a request whose handler has no response in time is answered 504, and a late one is dropped`(
            path: String
        ) async throws {
            let options = ServerOptions.loopback.with(\.requestTimeout, 1)
            try await withServer(app(), options) { server in
                let client = try server.connect()
                try client.send(get(path) + get("/at-once/a"))
                let answer = try client.answer()
                #expect(answer.status == 504 && answer.field("Connection") == "close")
                let other = try server.connect()
                try other.send(get("/release"))
                #expect(try other.answer().body == "done")
                #expect(try client.rest() == "")
                #expect(server.events.count(.completed(path, 504)) == 1)
                #expect(server.events.count(.started) == 2)
            }
        }

        @Test func `what a handler says right after its time is over is heard`() async throws {
            var app = App()
            app.get("/late") { (_, reply) in
                Task(executorPreference: reply.loop) {
                    await reply.loop?.sleep(nanoseconds: 100_000_000)
                    reply.send { throw HTTPError(.gatewayTimeout, "The database did not answer in time.") }
                }
            }
            try await withServer(app, .loopback.with(\.requestTimeout, 20)) { server in
                let client = try server.connect()
                try client.send(get("/late"))
                #expect(try client.answer().body.contains("The database did not answer in time."))
            }
        }

        @Test func `a client that left does not hear its reply, and nobody minds`() async throws {
            try await withServer(app()) { server in
                let other = try server.connect()
                do {
                    let gone = try server.connect()
                    try gone.send(get("/held"))
                    try wait(for: 1, other)
                }
                try other.send(get("/release") + get("/at-once/b"))
                #expect(try other.answer().body == "done")
                #expect(try other.answer().body == "this is b")
            }
        }
    }
}
