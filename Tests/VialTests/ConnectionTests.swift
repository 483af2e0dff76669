import Glibc
import HTTP1
import HTTPTypes
import Platform
import Reactor
import Testing

@testable import Vial

extension OverSockets {
    struct ConnectionTests {
        private let get = "GET /a HTTP/1.1\r\nHost: a\r\n\r\n"
        private let chunkedHead =
            "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\n"
            + "Transfer-Encoding: chunked\r\n\r\n"
        private let malformed = "GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n"

        private var app: App {
            var app = App()
            app.get("/{name}") { (_, name: String) in text("this is \(name)") }
            app.post("/echo") { request in
                text("\(request.body.count) \(String(decoding: request.body, as: UTF8.self))")
            }
            app.get("/bytes/{count}") { (_, count: Int64) in
                Answer(status: .ok, body: [UInt8](repeating: 0x78, count: Int(count)))
            }
            app.get("/closing/now") { _ in try text("bye").closing() }
            return app
        }

        private func post(_ body: String, _ fields: String = "") -> String {
            "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\n\(fields)"
                + "Content-Length: \(body.utf8.count)\r\n\r\n\(body)"
        }

        @Test func `serves one request after another on a connection`() async throws {
            try await withServer(app) { server in
                let client = try server.connect()
                for name in ["a", "b", "c"] {
                    try client.send("GET /\(name) HTTP/1.1\r\nHost: a\r\nX-Request-Id: id-\(name)\r\n\r\n")
                    let answer = try client.answer()
                    #expect(answer.status == 200)
                    #expect(answer.body == "this is \(name)")
                    #expect(answer.field("Content-Type") == "text/plain")
                    #expect(answer.field("X-Request-Id") == "id-\(name)")
                    #expect(answer.field("Date")?.hasSuffix(" GMT") == true)
                    #expect(answer.field("Connection") == nil)
                }
                #expect(server.events.count(.accepted) == 1)
                #expect(server.events.count(.closed) == 0)
            }
        }

        @Test func `answers pipelined requests in order`() async throws {
            try await withServer(app) { server in
                let client = try server.connect()
                let names = (0..<50).map(String.init)
                try client.send(names.map { "GET /\($0) HTTP/1.1\r\nHost: a\r\n\r\n" }.joined() + post("body") + get)
                for name in names { #expect(try client.answer().body == "this is \(name)") }
                #expect(try client.answer().body == "4 body")
                #expect(try client.answer().body == "this is a")
            }
        }

        @Test(arguments: [-1, 0, 1, 3 * Limits.pipelineDepthLimit])
        func `answers every request of a pipeline of any depth`(extra: Int) async throws {
            try await withServer(app) { server in
                let client = try server.connect()
                let names = (0..<Limits.pipelineDepthLimit + extra).map(String.init)
                try client.send(names.map { "GET /\($0) HTTP/1.1\r\nHost: a\r\n\r\n" }.joined())
                for name in names { #expect(try client.answer().body == "this is \(name)") }
            }
        }

        @Test func `sends the head alone as an answer to HEAD`() async throws {
            try await withServer(app) { server in
                let client = try server.connect()
                try client.send("HEAD /abc HTTP/1.1\r\nHost: a\r\n\r\n" + get)
                let head = try client.answer(toHead: true)
                #expect(head.status == 200 && head.field("Content-Length") == "11")
                #expect(try client.answer().body == "this is a")
            }
        }

        @Test func `sends neither body nor length with 204`() async throws {
            try await withServer(app) { server in
                let client = try server.connect()
                try client.send("OPTIONS /a HTTP/1.1\r\nHost: a\r\n\r\n" + get)
                let answer = try client.answer()
                #expect(answer.status == 204 && answer.field("Content-Length") == nil)
                #expect(answer.field("Allow") == "GET, HEAD, OPTIONS")
                #expect(try client.answer().body == "this is a")
            }
        }

        @Test func `reads chunked bodies`() async throws {
            try await withServer(app) { server in
                let client = try server.connect()
                try client.send(chunkedHead + "5\r\nhello\r\n6;x=y\r\n world\r\n0\r\nT: x\r\n\r\n" + get)
                #expect(try client.answer().body == "11 hello world")
                #expect(try client.answer().body == "this is a")
            }
        }

        @Test func `reads a request byte by byte`() async throws {
            try await withServer(app) { server in
                let client = try server.connect()
                for byte in post("hello") + get { try client.send(String(byte)) }
                #expect(try client.answer().body == "5 hello")
                #expect(try client.answer().body == "this is a")
            }
        }

        @Test func `does not mix the bodies of two requests`() async throws {
            try await withServer(app) { server in
                let client = try server.connect()
                let long = String(repeating: "x", count: 300_000)
                for body in [long, "a", "", "bc"] {
                    try client.send(post(body))
                    #expect(try client.answer().body == "\(body.utf8.count) \(body)")
                }
            }
        }

        @Test func `sends 100 Continue to a client that waits for it`() async throws {
            try await withServer(app) { server in
                let client = try server.connect()
                let message = post("hello", "Expect: 100-continue\r\n")
                try client.send(String(message.dropLast(5)))
                let interim = try client.answer()
                #expect(interim.status == 100 && interim.field("Content-Length") == nil)
                try client.send("hello")
                #expect(try client.answer().body == "5 hello")
                // A client that does not expect it gets no 100 Continue.
                try client.send(message)
                #expect(try client.answer().body == "5 hello")
            }
        }

        @Test(arguments: [
            ("POST /no/thing", "application/json", 404), ("POST /echo", "text/plain", 415),
            ("DELETE /a", "application/json", 405),
            ("BREW /a", "application/json", 501),
        ])
        func `refuses a bad head, closes, and lets the client read the response`(
            line: String, type: String, status: Int
        ) async throws {
            try await withServer(app) { server in
                let client = try server.connect()
                try client.send(
                    "\(line) HTTP/1.1\r\nHost: a\r\nContent-Type: \(type)\r\n"
                        + "Content-Length: 500000\r\nExpect: 100-continue\r\n\r\n")
                let answer = try client.answer()
                #expect(answer.status == status)
                #expect(answer.field("Connection") == "close")
                try client.send(String(repeating: "x", count: 400_000))
                client.finish()
                #expect(try client.rest() == "")
                await server.events.wait(for: .closed)
            }
        }

        @Test(arguments: [10, 100_000])
        func `refuses a declared body above the limit, and stays open if it can drop it`(
            limit: Int
        ) async throws {
            try await withServer(app, .loopback.with(\.limits.bodyByteLimit, limit)) { server in
                let client = try server.connect()
                let body = String(repeating: "x", count: limit + 1)
                try client.send(get + post(body) + get)
                #expect(try client.answer().status == 200)
                let refusal = try client.answer()
                #expect(refusal.status == 413)
                #expect(refusal.head.hasPrefix("HTTP/1.1 413 Content Too Large\r\n"))
                #expect(server.events.count(.refused("body_too_large")) == 1)
                if limit == 10 {
                    #expect(refusal.field("Connection") == nil)
                    #expect(try client.answer().status == 200)
                    #expect(server.events.count(.completed("/echo", 413)) == 1)
                } else {
                    #expect(refusal.field("Connection") == "close")
                    client.finish()
                    #expect(try client.rest() == "")
                }
            }
        }

        @Test func `answers the requests before malformed bytes, refuses those, and closes`() async throws {
            try await withServer(app) { server in
                let client = try server.connect()
                try client.send(get + get + malformed + get)
                #expect(try client.answer().body == "this is a")
                #expect(try client.answer().body == "this is a")
                let refusal = try client.answer()
                #expect(refusal.status == 400)
                #expect(refusal.head.hasPrefix("HTTP/1.1 400 Bad Request\r\n"))
                #expect(refusal.field("Connection") == "close")
                #expect(refusal.field("Content-Type") == "application/problem+json")
                #expect(refusal.field("X-Request-Id")?.utf8.count == 32)
                client.finish()
                #expect(try client.rest() == "")
                #expect(server.events.count(.refused("repeated_host")) == 1)
            }
        }

        @Test func `refuses a malformed body of a request that has begun`() async throws {
            try await withServer(app) { server in
                let client = try server.connect()
                try client.send(chunkedHead + "5\r\nhelloX")
                #expect(try client.answer().status == 400)
                #expect(
                    server.events.all == [
                        .accepted, .started, .refused("invalid_chunk_terminator"), .completed("/echo", 400),
                    ])
            }
        }

        @Test(arguments: [
            ("POST", "Content-Length: 99999999", 413), ("POST", "Content-Length: 2\r\nExpect: more", 417),
            ("GET", "Content-Length: 2", 400),
        ])
        func `a request refused by its head is reported with its path`(
            method: String, fields: String, status: Int
        ) async throws {
            try await withServer(app) { server in
                let client = try server.connect()
                try client.send("\(method) /echo HTTP/1.1\r\nHost: a\r\n\(fields)\r\n\r\n")
                #expect(try client.answer().status == status)
                #expect(server.events.count(.completed("/echo", status)) == 1)
            }
        }

        @Test func `a request refused by its head is answered with the client's request id`()
            async throws
        {
            try await withServer(app) { server in
                let client = try server.connect()
                try client.send(
                    "POST /echo HTTP/1.1\r\nHost: a\r\nX-Request-Id: mine\r\nContent-Length: 99999999\r\n\r\n")
                #expect(try client.answer().field("X-Request-Id") == "mine")
            }
        }

        @Test func `a client that shuts down its write side still gets its responses`() async throws {
            try await withServer(app) { server in
                let client = try server.connect()
                try client.send(get + get)
                client.finish()
                let answers = try client.rest()
                #expect(answers.components(of: "this is a") == 2)
                await server.events.wait(for: .closed)
            }
        }

        @Test func `a client that disconnects during a request leaves no resources in use`() async throws {
            try await withServer(app) { server in
                for message in ["", "GET", get + "GET /", String(post("hello").dropLast(2))] {
                    let client = try server.connect()
                    try client.send(message)
                    client.finish()
                    _ = try client.rest()
                }
                await server.events.wait(for: .closed, count: 4)
                #expect(server.events.count(.started) == 2)
                #expect(server.events.count(.completed("/a", 200)) == 1)
                #expect(server.events.count(.abandoned) == 1)
            }
        }

        @Test(arguments: [
            ("GET /a HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n", "close"), ("GET /a HTTP/1.0\r\n\r\n", "close"),
            ("GET /closing/now HTTP/1.1\r\nHost: a\r\n\r\n", "close"),
        ])
        func `closes when client or handler asks for it`(message: String, connection: String) async throws {
            try await withServer(app) { server in
                let client = try server.connect()
                try client.send(message + get)
                #expect(try client.answer().field("Connection") == "close")
                #expect(try client.rest() == "")
            }
        }

        @Test func `keeps an HTTP/1.0 connection alive on request, and says so`() async throws {
            try await withServer(app) { server in
                let client = try server.connect()
                for _ in 0..<2 {
                    try client.send("GET /a HTTP/1.0\r\nConnection: keep-alive\r\n\r\n")
                    #expect(try client.answer().field("Connection") == "keep-alive")
                }
            }
        }

        @Test func `times out a head that takes too long`() async throws {
            try await withServer(app, .loopback.with(\.headerTimeout, .milliseconds(50))) { server in
                let client = try server.connect()
                try client.send(get + "GET / HT")
                #expect(try client.answer().status == 200)
                let refusal = try client.answer()
                #expect(refusal.status == 408 && refusal.field("Connection") == "close")
                client.finish()
                #expect(try client.rest() == "")
                #expect(server.events.count(.refused("head_timed_out")) == 1)
            }
        }

        @Test func `the head timeout starts anew for each head`() async throws {
            try await withServer(app, .loopback.with(\.headerTimeout, .milliseconds(300))) { server in
                let client = try server.connect()
                let other = try server.connect()
                for _ in 0..<3 {
                    try client.send(String(get.prefix(9)))
                    // Lets the loop read the first part separately.
                    try other.send(get)
                    #expect(try other.answer().status == 200)
                    try client.send(String(get.dropFirst(9)))
                    #expect(try client.answer().status == 200)
                }
                try client.send(String(get.prefix(9)))
                let refusal = try client.answer()
                #expect(refusal.status == 408 && refusal.field("Connection") == "close")
                #expect(server.events.count(.refused("head_timed_out")) == 1)
            }
        }

        @Test func `a refused client that stays connected is closed after a second`() async throws {
            try await withServer(app, .loopback.with(\.maxConnections, 1)) { server in
                let refused = try server.connect()
                try refused.send(malformed)
                #expect(try refused.answer().status == 400)
                let further = try server.connect()
                try further.send(get)
                let start = ContinuousClock.now
                #expect(try further.answer().status == 200)
                let waited = start.duration(to: .now)
                #expect(waited > .milliseconds(700) && waited < .seconds(5))
                #expect(server.events.count(.closed) == 1)
            }
        }

        @Test func `a head that arrives in the iteration in which it times out is answered`() async throws {
            let interlude = Interlude()
            var app = app
            app.get("/interlude") { (_: Request) throws -> Answer in
                interlude.play()
                return text("played")
            }
            let play = "GET /interlude HTTP/1.1\r\nHost: a\r\n\r\n"
            try await withServer(app, .loopback.with(\.headerTimeout, .milliseconds(50))) { server in
                let clients = try (0..<3).map { _ in try server.connect() }
                let late = try server.connect()
                try late.send("GET /a HTTP/1.1\r\nHo")
                for client in clients {
                    try client.send(get)
                    #expect(try client.answer().status == 200)
                }
                try clients[0].send(play)
                interlude.perform(1) {
                    let end = Instant.now + .nanoseconds(60_000_000)
                    while Instant.now < end { sched_yield() }
                    try? clients[1].send(play)
                }
                // The loop finds the timer due, checks for events once more, and then reports the timeout.
                interlude.perform(2) { try? clients[2].send(play) }
                interlude.perform(3) { try? late.send("st: a\r\n\r\n") }
                #expect(try late.answer().status == 200)
            }
        }

        /// The loop is suspended while the timeout of a body passes; much of the rest arrives before it checks for
        /// events once more, or after that.
        @Test(arguments: [2, 3])
        func `a large part of a body in the iteration in which it times out does not prevent the timeout`(
            moment: Int
        ) async throws {
            let interlude = Interlude()
            var app = app
            app.get("/interlude") { (_: Request) throws -> Answer in
                interlude.play()
                return text("played")
            }
            let play = "GET /interlude HTTP/1.1\r\nHost: a\r\n\r\n"
            // More than one read takes, and less than the kernel buffers.
            let much = String(repeating: "x", count: 100_000)
            let listener = try Listener(host: "127.0.0.1", port: 0)
            var room: Int32 = 200_000
            // The kernel copies the four bytes before the call returns.
            unsafe setsockopt(listener.descriptor.number, SOL_SOCKET, SO_RCVBUF, &room, 4)
            try await withServer(
                app, .loopback.with(\.bodyTimeout, .milliseconds(50)), adopting: listener.descriptor.number
            ) {
                server in
                let clients = try (0..<3).map { _ in try server.connect() }
                let late = try server.connect()
                try late.send(String(post(much + much + "x").dropLast(200_000)))
                for client in clients {
                    try client.send(get)
                    #expect(try client.answer().status == 200)
                }
                try clients[0].send(play)
                interlude.perform(1) {
                    let end = Instant.now + .nanoseconds(60_000_000)
                    while Instant.now < end { sched_yield() }
                    try? clients[1].send(play)
                }
                interlude.perform(2) {
                    if moment == 2 { try? late.send(much) }
                    try? clients[2].send(play)
                }
                interlude.perform(3) { if moment == 3 { try? late.send(much) } }
                #expect(try late.answer().status == 408)
            }
            _ = consume listener
        }

        @Test func `times out a body that takes too long`() async throws {
            try await withServer(app, .loopback.with(\.bodyTimeout, .milliseconds(50))) { server in
                let client = try server.connect()
                try client.send(String(post("hello").dropLast(2)))
                let refusal = try client.answer()
                #expect(refusal.status == 408 && refusal.field("Connection") == "close")
                client.finish()
                #expect(try client.rest() == "")
                #expect(server.events.count(.completed("/echo", 408)) == 1)
                #expect(server.events.count(.refused("body_timed_out")) == 1)
            }
        }

        @Test func `closes an idle connection without a response`() async throws {
            try await withServer(app, .loopback.with(\.keepAliveTimeout, .milliseconds(50))) { server in
                let fresh = try server.connect()
                #expect(try fresh.rest() == "")
                let used = try server.connect()
                try used.send(get)
                #expect(try used.answer().status == 200)
                #expect(try used.rest() == "")
                await server.events.wait(for: .closed, count: 2)
                #expect(server.events.count(.started) == 1)
            }
        }

        @Test func `the head timeout does not end a slow handler`() async throws {
            let gate = Gate()
            var app = App()
            app.get("/slow") { _ in
                await gate.pass()
                return text("done")
            }
            try await withServer(
                app, .loopback.with(\.headerTimeout, .milliseconds(20)).with(\.keepAliveTimeout, .milliseconds(20))
            ) { server in
                let client = try server.connect()
                try client.send("GET /slow HTTP/1.1\r\nHost: a\r\n\r\n")
                await server.events.wait(for: .started)
                // An idle connection is closed after the same time, so the head timeout has passed when it is closed.
                let other = try server.connect()
                #expect(try other.rest() == "")
                gate.open()
                #expect(try client.answer().body == "done")
            }
        }

        @Test func `closes a client that does not read`() async throws {
            try await withServer(app, .loopback.with(\.writeTimeout, .milliseconds(50))) { server in
                let client = try server.connect(window: 4096)
                try client.send("GET /bytes/50000000 HTTP/1.1\r\nHost: a\r\n\r\n" + get)
                await server.events.wait(for: .closed)
                #expect(throws: (any Error).self) { try client.answer() }
            }
        }

        @Test func `closes a client that reads too slowly, even if it makes progress`() async throws {
            let count = 50_000_000
            try await withServer(app, .loopback.with(\.writeTimeout, .milliseconds(250))) { server in
                let client = try server.connect(window: 32_768)
                try client.send("GET /bytes/\(count) HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
                // In pieces this small, the whole response takes several times the write timeout.
                #expect(try client.rest(inPiecesOf: 128).utf8.count < count)
                await server.events.wait(for: .closed)
            }
        }

        @Test func `a client that has read its response gets the full time for the next request`() async throws {
            try await withServer(app, .loopback.with(\.writeTimeout, .milliseconds(500))) { server in
                let client = try server.connect(window: 4096)
                try client.send("GET /bytes/600000 HTTP/1.1\r\nHost: a\r\n\r\n")
                #expect(try client.answer().body.utf8.count == 600_000)
                // Closed after the same time, so the write timeout has passed when this connection is gone.
                let other = try server.connect(window: 4096)
                try other.send("GET /bytes/50000000 HTTP/1.1\r\nHost: a\r\n\r\n")
                await server.events.wait(for: .closed)
                try client.send(get)
                #expect(try client.answer().status == 200)
            }
        }

        @Test func `unread output is not mixed with other clients' responses`() async throws {
            try await withServer(app) { server in
                let slow = try server.connect(window: 4096)
                try slow.send("GET /bytes/5000000 HTTP/1.1\r\nHost: a\r\n\r\n" + get)
                await server.events.wait(for: .started)
                let other = try server.connect()
                for _ in 0..<3 {
                    try other.send(get)
                    #expect(try other.answer().body == "this is a")
                }
                let body = try slow.answer().body.utf8
                #expect(body.count == 5_000_000 && body.allSatisfy { $0 == body.first })
                #expect(try slow.answer().body == "this is a")
            }
        }

        @Test func `a request received while output is blocked is answered afterwards`() async throws {
            try await withServer(app) { server in
                let client = try server.connect(window: 4096)
                try client.send("GET /bytes/5000000 HTTP/1.1\r\nHost: a\r\n\r\n")
                await server.events.wait(for: .completed("/bytes/5000000", 200))
                try client.send(get)
                #expect(try client.answer().body.utf8.count == 5_000_000)
                #expect(try client.answer().body == "this is a")
            }
        }

        @Test func `sends a large answer to a client that reads`() async throws {
            try await withServer(app) { server in
                let client = try server.connect(window: 4096)
                try client.send("GET /bytes/5000000 HTTP/1.1\r\nHost: a\r\n\r\n" + get)
                #expect(try client.answer().body.utf8.count == 5_000_000)
                #expect(try client.answer().body == "this is a")
            }
        }
    }
}

extension String {
    /// The number of occurrences of `text`.
    fileprivate func components(of text: String) -> Int {
        ranges(of: text).count
    }
}
