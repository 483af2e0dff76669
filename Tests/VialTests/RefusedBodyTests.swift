import HTTP1
import HTTPTypes
import Reactor
import Testing

@testable import Vial

extension OverSockets {
    /// Bodies of requests that are refused because of their heads.
    struct RefusedBodyTests {
        private let get = "GET /a HTTP/1.1\r\nHost: a\r\n\r\n"

        private var app: App {
            var app = App()
            app.get("/{name}") { (_, name: String) in text("this is \(name)") }
            app.post("/echo") { request in text("\(request.body.count)") }
            app.group("/locked") { app in
                app.before { _ in throw HTTPError(.unprocessableContent, "No.") }
                app.post("/door") { _ in text("open") }
            }
            return app
        }

        /// Heads of requests that are refused, and the status.
        static let refusals = [
            ("POST /no/thing HTTP/1.1\r\nContent-Type: application/json\r\n", 404),
            ("PUT /a HTTP/1.1\r\nContent-Type: application/json\r\n", 405),
            ("POST /echo HTTP/1.1\r\nContent-Type: text/plain\r\n", 415),
            ("POST /locked/door HTTP/1.1\r\nContent-Type: application/json\r\n", 422),
            ("BREW /a HTTP/1.1\r\n", 501),
        ]

        private func sized(_ head: String, _ count: Int) -> String {
            head + "Host: a\r\nContent-Length: \(count)\r\n\r\n" + String(repeating: "x", count: count)
        }

        /// A chunked body of `count` bytes including its framing.
        private func chunked(_ head: String, _ count: Int = 34) -> String {
            let last = "\r\n0\r\n\r\n"
            var data = count - last.utf8.count
            data -= String(data, radix: 16).utf8.count + 2
            let body = "\(String(data, radix: 16))\r\n\(String(repeating: "x", count: data))\(last)"
            precondition(body.utf8.count == count)
            return head + "Host: a\r\nTransfer-Encoding: chunked\r\n\r\n" + body
        }

        @Test(arguments: refusals)
        func `are dropped, and the connection stays open`(head: String, status: Int) async throws {
            try await withServer(app) { server in
                let client = try server.connect()
                for message in [sized(head, 12), chunked(head), sized(head, 1), sized(head, 40_000)] {
                    try client.send(message)
                    let refusal = try client.answer()
                    #expect(refusal.status == status && refusal.field("Connection") == nil)
                }
                try client.send(get)
                #expect(try client.answer().body == "this is a")
                #expect(server.events.count(.started) == 5)
                #expect(server.events.count(.accepted) == 1 && server.events.count(.closed) == 0)
            }
        }

        @Test func `are dropped byte by byte`() async throws {
            try await withServer(app) { server in
                let client = try server.connect()
                for message in [sized("POST /x/y HTTP/1.1\r\n", 12), chunked("POST /x/y HTTP/1.1\r\n")] {
                    for byte in message + get { try client.send(String(byte)) }
                    #expect(try client.answer().status == 404)
                    #expect(try client.answer().body == "this is a")
                }
            }
        }

        @Test func `of pipelined requests are answered in their order`() async throws {
            try await withServer(app) { server in
                let client = try server.connect()
                let pipeline = Self.refusals.flatMap { head, _ in [sized(head, 100), get, chunked(head), get] }
                try client.send(pipeline.joined())
                for (_, status) in Self.refusals {
                    for expected in [status, 200, status, 200] { #expect(try client.answer().status == expected) }
                }
            }
        }

        @Test func `are not parsed as requests`() async throws {
            try await withServer(app) { server in
                let client = try server.connect()
                try client.send(
                    "POST /x/y HTTP/1.1\r\nHost: a\r\nContent-Length: \(get.utf8.count)\r\n\r\n" + get + get)
                #expect(try client.answer().status == 404)
                #expect(try client.answer().status == 200)
                client.finish()
                #expect(try client.rest() == "")
            }
        }

        @Test(arguments: [false, true])
        func `up to the limit are dropped, and larger ones close the connection`(isChunked: Bool) async throws {
            let limit = Limits.droppedBodyByteLimit
            let head = "POST /x/y HTTP/1.1\r\n"
            try await withServer(app) { server in
                let client = try server.connect()
                try client.send((isChunked ? chunked(head, limit) : sized(head, limit)) + get)
                let refusal = try client.answer()
                #expect(refusal.status == 404 && refusal.field("Connection") == nil)
                #expect(try client.answer().status == 200)

                try client.send((isChunked ? chunked(head, limit + 1) : sized(head, limit + 1)) + get)
                let last = try client.answer()
                #expect(last.status == 404 && last.field("Connection") == "close")
                client.finish()
                #expect(try client.rest() == "")
                await server.events.wait(for: .closed)
            }
        }

        @Test func `in a chunk above the limit are not read`() async throws {
            try await withServer(app) { server in
                let client = try server.connect()
                try client.send("POST /x/y HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nFFFFF\r\n")
                let refusal = try client.answer()
                #expect(refusal.status == 404 && refusal.field("Connection") == "close")
                #expect(server.events.count(.refused("body_too_large")) == 0)
            }
        }

        @Test(arguments: [
            ("5\r\nhelloX", "invalid_chunk_terminator"), ("5 \r\n", "invalid_chunk_size"),
            ("5\r\nhello\r\n0\r\nA : b\r\n\r\n", "whitespace_before_colon"),
        ])
        func `with invalid framing are answered 400, and the connection closes`(body: String, reason: String)
            async throws
        {
            try await withServer(app) { server in
                let client = try server.connect()
                try client.send("POST /x/y HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n" + body + get)
                let refusal = try client.answer()
                #expect(refusal.status == 400 && refusal.field("Connection") == "close")
                client.finish()
                #expect(try client.rest() == "")
                await server.events.wait(for: .closed)
                #expect(
                    server.events.all.prefix(4) == [.accepted, .started, .refused(reason), .completed("/x/y", 400)])
            }
        }

        @Test func `that do not arrive are answered at the timeout, and the connection closes`() async throws {
            try await withServer(app, .loopback.with(\.bodyTimeout, .milliseconds(50))) { server in
                let client = try server.connect()
                try client.send(String(sized("POST /x/y HTTP/1.1\r\n", 10).dropLast(2)))
                let refusal = try client.answer()
                #expect(refusal.status == 404 && refusal.field("Connection") == "close")
                client.finish()
                #expect(try client.rest() == "")
                #expect(server.events.count(.refused("body_timed_out")) == 0)
                #expect(server.events.count(.completed("/x/y", 404)) == 1)
            }
        }

        @Test func `of a client that ends its stream within them are answered, and the connection closes`() async throws
        {
            try await withServer(app) { server in
                let client = try server.connect()
                try client.send(String(sized("POST /x/y HTTP/1.1\r\n", 10).dropLast(2)))
                client.finish()
                let refusal = try client.answer()
                #expect(refusal.status == 404 && refusal.field("Connection") == "close")
                #expect(try client.rest() == "")
            }
        }

        @Test func `take no memory`() async throws {
            let memory = MemoryBudget(limit: 16 * 1_048_576)
            try await withServer(app, .loopback.with(\.memory, memory)) { server in
                let client = try server.connect()
                try client.send("POST /x/y HTTP/1.1\r\nHost: a\r\nContent-Length: 60001\r\n\r\n")
                for _ in 0..<6 { try client.send(String(repeating: "x", count: 10_000)) }
                // Once the loop has answered another client, it has read these bytes.
                let other = try server.connect()
                try other.send(get)
                #expect(try other.answer().status == 200)
                #expect(memory.used <= 2 * ConnectionQuota.connectionByteCount)
                try client.send("x")
                #expect(try client.answer().status == 404)
            }
        }

        @Test func `of requests whose connection closes anyway are not read`() async throws {
            try await withServer(app) { server in
                let client = try server.connect()
                try client.send("POST /x/y HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Length: 10\r\n\r\n")
                let refusal = try client.answer()
                #expect(refusal.status == 404 && refusal.field("Connection") == "close")
            }
        }
    }
}
