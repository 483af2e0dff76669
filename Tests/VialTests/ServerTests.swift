import Dispatch
import HTTPTypes
import Testing

@testable import Vial

extension OverSockets {
    struct ServerTests {
        private let get = "GET /a HTTP/1.1\r\nHost: a\r\n\r\n"
        private let slow = "GET /slow HTTP/1.1\r\nHost: a\r\n\r\n"
        private let gate = Gate()

        private var app: App {
            var app = App()
            let gate = gate
            app.get("/a") { _ in text("a") }
            app.get("/slow") { _ in
                await gate.pass()
                return text("done")
            }
            return app
        }

        @Test func `goes on serving while it announces its end`() async throws {
            try await withServer(app, .loopback.with(\.drainDelay, 60_000)) { server in
                let idle = try server.connect()
                try idle.send(get)
                #expect(try idle.answer().field("Connection") == nil)
                server.stop()
                await server.events.wait(for: .drain(.announcing))
                #expect(server.drain.isDraining)
                let late = try server.connect()
                for client in [idle, late] {
                    try client.send(get)
                    let answer = try client.answer()
                    #expect(answer.status == 200 && answer.field("Connection") == "close")
                    client.finish()
                    #expect(try client.rest() == "")
                }
                #expect(server.drain.phase == .announcing)
            }
        }

        @Test func `passes through the phases in order`() async throws {
            try await withServer(app, .loopback.with(\.drainDelay, 30)) { server in
                server.stop()
                await server.events.wait(for: .drain(.ended))
                #expect(server.events.all == [.drain(.announcing), .drain(.closing), .drain(.ended)])
            }
        }

        @Test func `closes idle connections when it closes`() async throws {
            try await withServer(app, .loopback.with(\.drainDelay, 0)) { server in
                let idle = try server.connect()
                try idle.send(get)
                _ = try idle.answer()
                server.stop()
                #expect(try idle.rest() == "")
                await server.events.wait(for: .drain(.ended))
                #expect(server.events.count(.drainTimedOut(1)) == 0)
            }
        }

        @Test func `answers the first request of a client that had just connected`() async throws {
            try await withServer(app, .loopback.with(\.drainDelay, 0)) { server in
                let client = try server.connect()
                await server.events.wait(for: .accepted)
                server.stop()
                await server.events.wait(for: .drain(.closing))
                try client.send(get)
                #expect(try client.answer().field("Connection") == "close")
            }
        }

        @Test func `finishes what is in flight`() async throws {
            try await withServer(app, .loopback.with(\.drainDelay, 0).with(\.drainTimeout, 60_000)) { server in
                let client = try server.connect()
                try client.send(slow)
                let sending = try server.connect()
                try sending.send("GET /a HTTP/1.1\r\nHo")
                await server.events.wait(for: .started)
                server.stop()
                await server.events.wait(for: .drain(.closing))
                #expect(server.events.count(.closed) == 0)
                try sending.send("st: a\r\n\r\n")
                #expect(try sending.answer().body == "a")
                gate.open()
                let answer = try client.answer()
                #expect(answer.body == "done" && answer.field("Connection") == "close")
                client.finish()
                sending.finish()
                await server.events.wait(for: .drain(.ended))
                #expect(server.events.count(.closed) == 2)
            }
        }

        @Test func `as many handlers wait at once as there are clients, and again with the next requests`() async throws
        {
            // More than a loop keeps tasks for.
            let count = 300
            try await withServer(app) { server in
                let clients = try (0..<count).map { _ in try server.connect() }
                for wave in 1...2 {
                    for client in clients { try client.send(slow) }
                    await server.events.wait(for: .started, count: wave * count)
                    gate.open()
                    for client in clients {
                        let answer = try client.answer()
                        #expect(answer.body == "done")
                    }
                }
            }
        }

        @Test func `cuts what takes longer than the drain may`() async throws {
            try await withServer(app, .loopback.with(\.drainDelay, 0).with(\.drainTimeout, 50)) { server in
                let client = try server.connect()
                try client.send("GET /a HTTP/1.1\r\nHo")
                await server.events.wait(for: .accepted)
                server.stop()
                await server.events.wait(for: .drain(.ended))
                #expect(server.events.count(.drainTimedOut(1)) == 1)
                #expect(server.events.count(.drain(.cutting)) == 1)
                #expect(server.events.count(.closed) == 1)
                #expect(try client.rest() == "")
            }
        }

        @Test(arguments: ["/slow", "/deferred"])
        func `cuts a request whose handler takes longer than the drain may`(path: String) async throws {
            var app = app
            let gate = gate
            app.get("/deferred") { (_, reply) in
                Task(executorPreference: reply.loop) {
                    await gate.pass()
                    reply.send { text("late") }
                }
            }
            try await withServer(app, .loopback.with(\.drainDelay, 0).with(\.drainTimeout, 50)) { server in
                let client = try server.connect()
                try client.send("GET \(path) HTTP/1.1\r\nHost: a\r\n\r\n")
                await server.events.wait(for: .started)
                server.stop()
                #expect(try client.rest() == "")
                await server.events.wait(for: .drain(.ended))
                #expect(server.events.count(.closed) == 1)
                #expect(server.events.count(.abandoned) == 1)
                // The handler's response is nobody's any more.
                gate.open()
            }
        }

        @Test func `listens no more once it closes`() async throws {
            try await withServer(app, .loopback.with(\.drainDelay, 0).with(\.drainTimeout, 60_000)) { server in
                let client = try server.connect()
                try client.send(slow)
                await server.events.wait(for: .started)
                server.stop()
                await server.events.wait(for: .drain(.closing))
                // Whoever came before is taken in first.
                var isListening = true
                for _ in 0..<10_000 where isListening { isListening = (try? server.connect()) != nil }
                #expect(!isListening)
                gate.open()
                #expect(try client.answer().body == "done")
            }
        }

        @Test func `serves whom it has taken in while a crowd of others comes`() async throws {
            var app = app
            let hold = DispatchSemaphore(value: 0)
            app.get("/hold") { _ in
                hold.wait()
                return text("held")
            }
            try await withServer(app) { server in
                let holder = try server.connect()
                try holder.send("GET /hold HTTP/1.1\r\nHost: a\r\n\r\n")
                await server.events.wait(for: .started)
                let first = try server.connect()
                try first.send(get)
                let crowd = try (0..<3 * Acceptor.batch).map { _ in try server.connect() }
                hold.signal()
                #expect(try first.answer().body == "a")
                let taken = server.events.all.prefix { $0 != .completed("/a", 200) }.count { $0 == .accepted }
                #expect(taken < 2 * Acceptor.batch)
                await server.events.wait(for: .accepted, count: crowd.count + 2)
            }
        }

        @Test func `lets further clients wait while as many as may be are there`() async throws {
            try await withServer(app, .loopback.with(\.maxConnections, 2)) { server in
                let first = try server.connect()
                let second = try server.connect()
                for client in [first, second] {
                    try client.send(get)
                    #expect(try client.answer().body == "a")
                }
                #expect(server.events.count(.limitReached(2)) == 0)
                let third = try server.connect()
                try third.send(get)
                await server.events.wait(for: .limitReached(2))
                #expect(server.events.count(.accepted) == 2)
                first.finish()
                #expect(try third.answer().body == "a")
                #expect(server.events.count(.accepted) == 3)
                #expect(server.events.count(.limitReached(2)) == 1)
            }
        }

        @Test func `serves on several loops through one port`() async throws {
            try await withServer(app, loops: 3) { server in
                for _ in 0..<60 {
                    let client = try server.connect()
                    try client.send(get)
                    #expect(try client.answer().body == "a")
                }
                await server.events.wait(for: .closed, count: 60)
            }
        }

        @Test func `keeps no descriptor of a connection that ended`() async throws {
            try await withServer(app) { server in
                #expect(openSockets(on: server.port) == 1)
                for number in 0..<200 {
                    let client = try server.connect()
                    switch number % 4 {
                    case 0: break
                    case 1: try client.send("GET / HT")
                    case 2: try client.send("nonsense\r\n\r\n")
                    default:
                        try client.send(get)
                        _ = try client.answer()
                    }
                }
                await server.events.wait(for: .closed, count: 200)
                // The last one's descriptor goes with the connection, right after it was reported.
                let client = try server.connect()
                try client.send(get)
                _ = try client.answer()
                #expect(openSockets(on: server.port) == 2)
            }
        }
    }
}
