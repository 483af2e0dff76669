import HTTP1
import HTTPTypes
import Reactor
import Testing

@testable import Vial

extension OverSockets {
    /// How a server uses its memory budget, and what it does when the budget is used up.
    struct MemoryTests {
        private let get = "GET /bytes/10 HTTP/1.1\r\nHost: a\r\n\r\n"
        private let gate = Gate()

        private var app: App {
            var app = App()
            app.get("/bytes/{count}") { (_, count: Int64) in
                Answer(status: .ok, body: [UInt8](repeating: 0x78, count: Int(count)))
            }
            app.post("/length") { request in text("\(request.body.count)") }
            let gate = gate
            app.get("/slow") { _ in
                await gate.pass()
                return text("done")
            }
            app.post("/slow") { _ in
                await gate.pass()
                return text("done")
            }
            app.post("/deferred") { _ in
                .work { caller in
                    Task(executorPreference: caller.loop) {
                        await gate.pass()
                        caller.answer { text("done") }
                    }
                }
            }
            app.post("/bytes/{count}") { (_, count: Int64) in
                Answer(status: .ok, body: [UInt8](repeating: 0x78, count: Int(count)))
            }
            app.post("/bytes") { _ in Answer(status: .ok, body: [UInt8](repeating: 0x78, count: 40_000)) }
            return app
        }

        private func postHead(_ length: Int, _ path: String = "/length") -> String {
            "POST \(path) HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nContent-Length: \(length)\r\n\r\n"
        }

        /// Polls until the condition holds; the suite's time limit ends a wait in vain.
        private func until(_ condition: () -> Bool) async throws {
            while !condition() { try await Task.sleep(for: .milliseconds(2)) }
        }

        private func options(_ memory: MemoryBudget) -> ServerOptions { .loopback.with(\.memory, memory) }

        @Test func `a body whose declared length exceeds the budget is refused before it arrives`() async throws {
            let memory = MemoryBudget(limit: 1_048_576)
            try await withServer(app, options(memory)) { server in
                let client = try server.connect()
                try client.send(postHead(1_000_000))
                let answer = try client.answer()
                #expect(answer.status == 503)
                #expect(answer.field("Retry-After") == "1")
                #expect(answer.field("Content-Type") == "application/problem+json")
                #expect(answer.field("Connection") == "close")
            }
        }

        @Test func `bodies are counted while they grow, and released afterwards`() async throws {
            let memory = MemoryBudget(limit: 16 * 1_048_576)
            try await withServer(app, options(memory)) { server in
                let client = try server.connect()
                try client.send(postHead(1_000_000) + String(repeating: "x", count: 900_000))
                try await until { memory.used >= 900_000 }
                #expect(memory.used < 1_200_000)
                try client.send(String(repeating: "x", count: 100_000))
                #expect(try client.answer().body == "1000000")
                try await until { memory.used <= ConnectionQuota.connectionByteCount }
            }
        }

        @Test func `a body is counted as it arrives, not as declared`() async throws {
            let memory = MemoryBudget(limit: 16 * 1_048_576)
            try await withServer(app, options(memory)) { server in
                let client = try server.connect()
                try client.send(postHead(1_000_000) + String(repeating: "x", count: 2000))
                try await until { memory.used >= 16_384 }
                #expect(memory.used < 100_000)
            }
        }

        @Test func `a body is counted while its handler has it, and not longer`() async throws {
            let memory = MemoryBudget(limit: 16 * 1_048_576)
            try await withServer(app, options(memory)) { server in
                let client = try server.connect()
                try client.send(postHead(40_000, "/slow") + String(repeating: "x", count: 40_000))
                try await until { memory.used >= 40_000 }
                gate.open()
                #expect(try client.answer().body == "done")
                try await until { memory.used <= ConnectionQuota.connectionByteCount }
            }
        }

        @Test func `a body is released when its handler returns, even if the response is deferred`()
            async throws
        {
            let memory = MemoryBudget(limit: 16 * 1_048_576)
            try await withServer(app, options(memory)) { server in
                let client = try server.connect()
                try client.send(postHead(400_000, "/deferred") + String(repeating: "x", count: 300_000))
                try await until { memory.used >= 300_000 }
                try client.send(String(repeating: "x", count: 100_000))
                try await until { memory.used <= ConnectionQuota.connectionByteCount }
                gate.open()
                #expect(try client.answer().body == "done")
            }
        }

        @Test func `a chunked body above the budget is refused`() async throws {
            let memory = MemoryBudget(limit: 16 * 1_048_576)
            try await withServer(app, options(memory)) { server in
                let client = try server.connect()
                await server.events.wait(for: .accepted)
                memory.take(memory.share(of: .body) - memory.used)
                let head = "POST /length HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\n"
                let chunk = "4E20\r\n\(String(repeating: "x", count: 20_000))\r\n"
                try client.send(head + "Transfer-Encoding: chunked\r\n\r\n\(chunk)0\r\n\r\n")
                let answer = try client.answer()
                #expect(answer.status == 503 && answer.field("Connection") == "close")
            }
        }

        @Test func `small unread responses are counted too`() async throws {
            let memory = MemoryBudget(limit: 16 * 1_048_576)
            // The requests are smaller than the 65,536 bytes expected below; the responses exceed the kernel's buffers.
            let many = String(repeating: "GET /bytes/1000 HTTP/1.1\r\nHost: a\r\n\r\n", count: 1000)
            try await withServer(app, options(memory)) { server in
                let client = try server.connect(window: 4096)
                try client.send(many)
                try await until { memory.used >= 65_536 }
                #expect(server.events.count(.closed) == 0)
                _ = client
            }
        }

        @Test func `a request refused for memory holds none once its client has closed`() async throws {
            let memory = MemoryBudget(limit: 1_048_576)
            try await withServer(app, options(memory)) { server in
                let client = try server.connect()
                let field = "X-Long: \(String(repeating: "x", count: 15_000))\r\n"
                try client.send(
                    "GET /slow HTTP/1.1\r\nHost: a\r\n\r\n"
                        + "POST /length HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\n\(field)\(field)"
                        + "Content-Length: 1000000\r\n\r\n")
                client.finish()
                await server.events.wait(for: .started)
                // The end of the stream has arrived when the refusal is sent.
                gate.open()
                #expect(try client.answer().status == 200)
                #expect(try client.answer().status == 503)
                await server.events.wait(for: .closed)
                #expect(memory.used == 0)
            }
        }

        @Test func `output with a reservation is sent even if others use up the budget`() async throws {
            let memory = MemoryBudget(limit: 64 * 1_048_576)
            try await withServer(app, options(memory)) { server in
                let client = try server.connect(window: 4096)
                try client.send("GET /bytes/16000000 HTTP/1.1\r\nHost: a\r\n\r\n")
                // The response with its head, because the socket's buffer is full.
                try await until { memory.used > ConnectionQuota.connectionByteCount + 16_000_000 }
                let taken = memory.share(of: .statement) - memory.used
                memory.take(taken)
                #expect(try client.answer().body.utf8.count == 16_000_000)
                memory.release(taken)
                try await until { memory.used <= ConnectionQuota.connectionByteCount }
            }
        }

        @Test func `a client that does not read is closed if the budget has no room for its output`() async throws {
            let memory = MemoryBudget(limit: 16 * 1_048_576)
            try await withServer(app, options(memory)) { server in
                let client = try server.connect(window: 4096)
                await server.events.wait(for: .accepted)
                memory.take(memory.share(of: .answer) - memory.used)
                try client.send(postHead(2, "/bytes/16000000") + "{}")
                await server.events.wait(for: .completed("/bytes/16000000", 200))
                #expect(throws: (any Error).self) { _ = try client.answer() }
            }
        }

        @Test func `a client waits until the budget has room for its connection`() async throws {
            let memory = MemoryBudget(limit: 16 * 1_048_576)
            let taken = memory.share(of: .connection)
            memory.take(taken)
            try await withServer(app, options(memory)) { server in
                let client = try server.connect()
                try client.send(get)
                await server.events.wait(for: .limitReached(3413))
                #expect(server.events.count(.accepted) == 0)
                memory.release(taken)
                #expect(try client.answer().status == 200)
            }
        }

        @Test func `a long head is counted while its response is awaited, and not longer`() async throws {
            let memory = MemoryBudget(limit: 16 * 1_048_576)
            try await withServer(app, options(memory)) { server in
                let client = try server.connect()
                let field = "X-Long: \(String(repeating: "x", count: 15_000))\r\n"
                try client.send("GET /slow HTTP/1.1\r\nHost: a\r\n\(field)\(field)\(field)\r\n")
                await server.events.wait(for: .started)
                try await until { memory.used >= 45_000 }
                gate.open()
                #expect(try client.answer().body == "done")
                try await until { memory.used <= ConnectionQuota.connectionByteCount }
            }
        }

        @Test func `a chunked body that outgrows the budget is refused, and others are served`() async throws {
            let memory = MemoryBudget(limit: 1_048_576)
            try await withServer(app, options(memory)) { server in
                let client = try server.connect()
                let head = "POST /length HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\n"
                try client.send(head + "Transfer-Encoding: chunked\r\n\r\nF4240\r\n")
                let other = try server.connect()
                try other.send(get)
                #expect(try other.answer().status == 200)
                try client.send(String(repeating: "x", count: 900_000))
                #expect(try client.answer().status == 503)
                try other.send(get)
                #expect(try other.answer().status == 200)
                try await until { memory.used <= 2 * ConnectionQuota.connectionByteCount }
            }
        }

        @Test func `a response above the budget becomes 503, and the connection stays open`() async throws {
            let memory = MemoryBudget(limit: 1_048_576)
            try await withServer(app, options(memory)) { server in
                let client = try server.connect()
                try client.send("GET /bytes/1000000 HTTP/1.1\r\nHost: a\r\n\r\n" + get)
                let refused = try client.answer()
                #expect(refused.status == 503)
                #expect(refused.field("Retry-After") == "1")
                #expect(try client.answer().status == 200)
                try client.send("HEAD /bytes/1000000 HTTP/1.1\r\nHost: a\r\n\r\n")
                #expect(try client.answer(toHead: true).status == 200)
            }
        }

        @Test func `the response to a POST is sent even above the budget, because the change has happened`()
            async throws
        {
            let memory = MemoryBudget(limit: 16 * 1_048_576)
            try await withServer(app, options(memory)) { server in
                let client = try server.connect()
                await server.events.wait(for: .accepted)
                let taken = memory.share(of: .answer) - memory.used
                memory.take(taken)
                try client.send("POST /bytes HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\n")
                try client.send("Content-Length: 2\r\n\r\n{}")
                let answer = try client.answer()
                #expect(answer.status == 200 && answer.body.utf8.count == 40_000)
                memory.release(taken)
                try await until { memory.used <= ConnectionQuota.connectionByteCount }
            }
        }

        @Test func `unread responses are counted until their client is closed`() async throws {
            let memory = MemoryBudget(limit: 64 * 1_048_576)
            try await withServer(app, options(memory).with(\.writeTimeout, .milliseconds(300))) { server in
                let client = try server.connect(window: 4096)
                try client.send("GET /bytes/16000000 HTTP/1.1\r\nHost: a\r\n\r\n")
                try await until { memory.used >= 16_000_000 }
                await server.events.wait(for: .closed)
                #expect(memory.used == 0)
            }
        }

        @Test func `a large response is counted until it is sent, and not longer`() async throws {
            let memory = MemoryBudget(limit: 64 * 1_048_576)
            try await withServer(app, options(memory)) { server in
                let client = try server.connect(window: 4096)
                try client.send("GET /bytes/16000000 HTTP/1.1\r\nHost: a\r\n\r\n")
                try await until { memory.used >= 16_000_000 }
                #expect(try client.answer().body.utf8.count == 16_000_000)
                try await until { memory.used <= ConnectionQuota.connectionByteCount }
            }
        }

        @Test
        func `pipelined requests above the budget are dropped, and the connection closes after the response`()
            async throws
        {
            let memory = MemoryBudget(limit: 1_048_576)
            try await withServer(app, options(memory)) { server in
                let client = try server.connect()
                await server.events.wait(for: .accepted)
                memory.take(memory.share(of: .body) - memory.used)
                try client.send("GET /slow HTTP/1.1\r\nHost: a\r\n\r\n" + String(repeating: get, count: 100))
                await server.events.wait(for: .started)
                gate.open()
                let answer = try client.answer()
                #expect(answer.body == "done" && answer.field("Connection") == "close")
                #expect(try client.rest() == "")
            }
        }

        @Test func `every open connection reserves its share, and releases it`() async throws {
            let memory = MemoryBudget(limit: 16 * 1_048_576)
            try await withServer(app, options(memory)) { server in
                var clients: [Client] = []
                for _ in 0..<3 { clients.append(try server.connect()) }
                await server.events.wait(for: .accepted, count: 3)
                // A place is taken before the queue is checked, and released if the queue is empty.
                try await until { memory.used == 3 * ConnectionQuota.connectionByteCount }
                clients = []
                await server.events.wait(for: .closed, count: 3)
                try await until { memory.used == 0 }
            }
        }

        @Test func `the number of connections is limited by the budget`() {
            let room = ConnectionQuota(limit: 10_000, memory: MemoryBudget(limit: 16 * 1_048_576))
            #expect(room.limit < 10_000 && room.limit > 3000)
            #expect(ConnectionQuota(limit: 10_000, memory: MemoryBudget(limit: 48 * 1_048_576)).limit == 10_000)
        }
    }
}
