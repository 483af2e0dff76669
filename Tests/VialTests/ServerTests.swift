import Dispatch
import Glibc
import HTTPTypes
import Platform
import Reactor
import Synchronization
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
            app.get("/bytes/{count}") { (_, count: Int64) in
                Answer(status: .ok, body: [UInt8](repeating: 0x78, count: Int(count)))
            }
            app.get("/slow") { _ in
                await gate.pass()
                return text("done")
            }
            return app
        }

        @Test func `keeps serving while it announces its end`() async throws {
            try await withServer(app, .loopback.with(\.drainDelay, .milliseconds(60_000))) { server in
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
            try await withServer(app, .loopback.with(\.drainDelay, .milliseconds(30))) { server in
                server.stop()
                await server.events.wait(for: .drain(.ended))
                #expect(server.events.all == [.drain(.announcing), .drain(.closing), .drain(.ended)])
            }
        }

        @Test func `closes idle connections when it closes`() async throws {
            try await withServer(app, .loopback.with(\.drainDelay, .milliseconds(0))) { server in
                let idle = try server.connect()
                try idle.send(get)
                _ = try idle.answer()
                server.stop()
                #expect(try idle.rest() == "")
                await server.events.wait(for: .drain(.ended))
                #expect(server.events.count(.drainTimedOut(1)) == 0)
            }
        }

        @Test func `answers the first request of a client that has just connected`() async throws {
            try await withServer(app, .loopback.with(\.drainDelay, .milliseconds(0))) { server in
                let client = try server.connect()
                await server.events.wait(for: .accepted)
                server.stop()
                await server.events.wait(for: .drain(.closing))
                try client.send(get)
                #expect(try client.answer().field("Connection") == "close")
            }
        }

        @Test func `while closing, closes an accepted client that sends nothing after a second`() async throws {
            let options = ServerOptions.loopback.with(\.maxConnections, 1).with(\.drainDelay, .milliseconds(0))
            try await withServer(app, options.with(\.drainTimeout, .milliseconds(8000))) { server in
                let busy = try server.connect()
                try busy.send(slow)
                await server.events.wait(for: .started)
                let silent = try server.connect()
                await server.events.wait(for: .limitReached(1))
                server.stop()
                await server.events.wait(for: .drain(.closing))
                gate.open()
                #expect(try busy.answer().body == "done")
                busy.finish()
                #expect(try silent.rest() == "")
                await server.events.wait(for: .drain(.ended))
                #expect(server.events.count(.accepted) == 2)
                #expect(server.events.count(.drainTimedOut(1)) == 0)
            }
        }

        @Test func `while closing, a body that has begun keeps its timeout`() async throws {
            var app = app
            app.post("/length") { request in text("\(request.body.count)") }
            try await withServer(
                app, .loopback.with(\.drainDelay, .milliseconds(0)).with(\.drainTimeout, .milliseconds(60_000))
            ) { server in
                let silent = try server.connect()
                let sending = try server.connect()
                let head = "POST /length HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\n"
                try sending.send(head + "Content-Length: 2\r\n\r\n{")
                await server.events.wait(for: .started)
                await server.events.wait(for: .accepted, count: 2)
                server.stop()
                // Closed after sending nothing for a second.
                #expect(try silent.rest() == "")
                try sending.send("}")
                #expect(try sending.answer().body == "2")
                sending.finish()
            }
        }

        @Test func `finishes requests in flight`() async throws {
            try await withServer(
                app, .loopback.with(\.drainDelay, .milliseconds(0)).with(\.drainTimeout, .milliseconds(60_000))
            ) { server in
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

        @Test func `every client's handler may wait at the same time, also for later requests`() async throws {
            // More than the number of idle tasks that a loop keeps.
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

        @Test func `while closing, closes a connection that becomes idle because its client has read everything`()
            async throws
        {
            try await withServer(
                app, .loopback.with(\.drainDelay, .milliseconds(0)).with(\.drainTimeout, .milliseconds(60_000))
            ) { server in
                let client = try server.connect(window: 4096)
                try client.send("GET /bytes/5000000 HTTP/1.1\r\nHost: a\r\n\r\n")
                await server.events.wait(for: .completed("/bytes/5000000", 200))
                server.stop()
                await server.events.wait(for: .drain(.closing))
                let answer = try client.answer()
                #expect(answer.body.utf8.count == 5_000_000 && answer.field("Connection") == nil)
                #expect(try client.rest() == "")
                await server.events.wait(for: .drain(.ended))
                #expect(server.events.count(.drainTimedOut(1)) == 0)
            }
        }

        @Test func `while closing, answers pipelined requests behind a response that is still being read`() async throws
        {
            try await withServer(
                app, .loopback.with(\.drainDelay, .milliseconds(0)).with(\.drainTimeout, .milliseconds(60_000))
            ) { server in
                let client = try server.connect(window: 4096)
                try client.send("GET /bytes/5000000 HTTP/1.1\r\nHost: a\r\n\r\n")
                await server.events.wait(for: .completed("/bytes/5000000", 200))
                server.stop()
                await server.events.wait(for: .drain(.closing))
                try client.send(get)
                #expect(try client.answer().body.utf8.count == 5_000_000)
                let answer = try client.answer()
                #expect(answer.body == "a" && answer.field("Connection") == "close")
                #expect(try client.rest() == "")
                await server.events.wait(for: .drain(.ended))
            }
        }

        /// A response that fits into the server's send buffer, but not into the client's receive buffer.
        private static let halfDelivered = "GET /bytes/40000 HTTP/1.1\r\nHost: a\r\n"

        @Test(arguments: ["", "Connection: close\r\n"])
        func `does not end before clients have received what the kernel holds for them`(field: String) async throws {
            try await withServer(
                app, .loopback.with(\.drainDelay, .milliseconds(0)).with(\.drainTimeout, .milliseconds(60_000))
            ) { server in
                let client = try server.connect(window: 4096)
                let busy = try server.connect()
                try busy.send(slow)
                await server.events.wait(for: .started)
                try client.send(Self.halfDelivered + field + "\r\n")
                await server.events.wait(for: .completed("/bytes/40000", 200))
                server.stop()
                await server.events.wait(for: .drain(.closing))
                // This client does not close its side in time, so its connection ends later than the other's would.
                gate.open()
                #expect(try busy.answer().body == "done")
                await server.events.wait(for: .closed)
                #expect(server.drain.phase == .closing)
                #expect(server.events.count(.closed) == 1)
                #expect(try client.answer().body.utf8.count == 40_000)
                #expect(try client.rest() == "")
                await server.events.wait(for: .drain(.ended))
                #expect(server.events.count(.drainTimedOut(1)) == 0)
            }
        }

        @Test func `does not wait for a client that disconnected without reading everything`() async throws {
            try await withServer(
                app, .loopback.with(\.drainDelay, .milliseconds(0)).with(\.drainTimeout, .milliseconds(60_000))
            ) { server in
                try await Self.leave(server)
                server.stop()
                await server.events.wait(for: .drain(.ended))
                #expect(server.events.count(.drainTimedOut(1)) == 0)
            }
        }

        /// A client that disconnects without reading all of its response.
        private static func leave(_ server: TestServer) async throws {
            let client = try server.connect(window: 4096)
            try client.send(halfDelivered + "\r\n")
            await server.events.wait(for: .completed("/bytes/40000", 200))
        }

        @Test func `cuts clients that do not acknowledge within the drain timeout`() async throws {
            try await withServer(
                app, .loopback.with(\.drainDelay, .milliseconds(0)).with(\.drainTimeout, .milliseconds(300))
            ) { server in
                let client = try server.connect(window: 4096)
                try client.send(Self.halfDelivered + "\r\n")
                await server.events.wait(for: .completed("/bytes/40000", 200))
                server.stop()
                await server.events.wait(for: .drain(.ended))
                #expect(server.events.count(.drainTimedOut(1)) == 1)
                client.finish()
            }
        }

        @Test func `closes clients that do not acknowledge within the write timeout`() async throws {
            let options = ServerOptions.loopback.with(\.drainDelay, .milliseconds(0)).with(
                \.drainTimeout, .milliseconds(30_000))
            try await withServer(app, options.with(\.writeTimeout, .milliseconds(100))) { server in
                let client = try server.connect(window: 4096)
                try client.send(Self.halfDelivered + "\r\n")
                await server.events.wait(for: .completed("/bytes/40000", 200))
                server.stop()
                await server.events.wait(for: .drain(.ended))
                #expect(server.events.count(.drainTimedOut(1)) == 0)
                client.finish()
            }
        }

        @Test func `cuts requests that take longer than the drain timeout`() async throws {
            try await withServer(
                app, .loopback.with(\.drainDelay, .milliseconds(0)).with(\.drainTimeout, .milliseconds(50))
            ) { server in
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
        func `cuts a request whose handler takes longer than the drain timeout`(path: String) async throws {
            var app = app
            let gate = gate
            app.get("/deferred") { _ in
                .work { caller in
                    Task(executorPreference: caller.loop) {
                        await gate.pass()
                        caller.answer { text("late") }
                    }
                }
            }
            try await withServer(
                app, .loopback.with(\.drainDelay, .milliseconds(0)).with(\.drainTimeout, .milliseconds(50))
            ) { server in
                let client = try server.connect()
                try client.send("GET \(path) HTTP/1.1\r\nHost: a\r\n\r\n")
                await server.events.wait(for: .started)
                server.stop()
                #expect(try client.rest() == "")
                await server.events.wait(for: .drain(.ended))
                #expect(server.events.count(.closed) == 1)
                #expect(server.events.count(.abandoned) == 1)
                // The handler's response has no request any more.
                gate.open()
            }
        }

        @Test func `stops listening once it closes`() async throws {
            try await withServer(
                app, .loopback.with(\.drainDelay, .milliseconds(0)).with(\.drainTimeout, .milliseconds(60_000))
            ) { server in
                let client = try server.connect()
                try client.send(slow)
                await server.events.wait(for: .started)
                server.stop()
                await server.events.wait(for: .drain(.closing))
                // Clients that connected before are accepted first.
                var isListening = true
                for _ in 0..<10_000 where isListening { isListening = (try? server.connect()) != nil }
                #expect(!isListening)
                gate.open()
                #expect(try client.answer().body == "done")
            }
        }

        @Test func `serves accepted clients while many others connect`() async throws {
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

        @Test func `lets clients wait while all places have a request or part of one`()
            async throws
        {
            try await withServer(app, .loopback.with(\.maxConnections, 3).with(\.idleGrace, .milliseconds(0))) {
                server in
                let head = try server.connect()
                try head.send("GET /a HTTP/1.1\r\nHo")
                let body = try server.connect()
                try body.send("POST /a HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\n{")
                let handled = try server.connect()
                try handled.send(slow)
                await server.events.wait(for: .started)
                #expect(server.events.count(.limitReached(3)) == 0)
                let further = try server.connect()
                try further.send(get)
                await server.events.wait(for: .limitReached(3))
                #expect(server.events.count(.accepted) == 3)
                gate.open()
                #expect(try handled.answer().body == "done")
                #expect(try further.answer().body == "a")
                #expect(try handled.rest() == "")
                try head.send("st: a\r\n\r\n")
                #expect(try head.answer().body == "a")
                #expect(server.events.count(.limitReached(3)) == 1)
            }
        }

        @Test func `closes the longest idle connection for a new client`() async throws {
            try await withServer(app, .loopback.with(\.maxConnections, 3).with(\.idleGrace, .milliseconds(0))) {
                server in
                let clients = try (0..<3).map { _ in try server.connect() }
                for client in clients + [clients[0]] {
                    try client.send(get)
                    #expect(try client.answer().body == "a")
                }
                let further = try server.connect()
                try further.send(get)
                #expect(try further.answer().body == "a")
                #expect(try clients[1].rest() == "")
                for client in [clients[0], clients[2], further] {
                    try client.send(get)
                    #expect(try client.answer().body == "a")
                }
                #expect(server.events.count(.closed) == 1)
                // The order is that of the last requests, whatever it was at an earlier search.
                let last = try server.connect()
                try last.send(get)
                #expect(try last.answer().body == "a")
                #expect(try clients[0].rest() == "")
                for client in [clients[2], further] {
                    try client.send(get)
                    #expect(try client.answer().body == "a")
                }
            }
        }

        @Test
        func `a request that arrives before its idle connection is closed for another client keeps the connection`()
            async throws
        {
            let interlude = Interlude()
            var app = app
            app.get("/interlude") { (_: Request) throws -> Answer in
                interlude.play()
                return text("played")
            }
            let play = "GET /interlude HTTP/1.1\r\nHost: a\r\n\r\n"
            try await withServer(app, .loopback.with(\.maxConnections, 3).with(\.idleGrace, .milliseconds(0))) {
                server in
                let oldest = try server.connect()
                let others = [try server.connect(), try server.connect()]
                for client in [oldest] + others {
                    try client.send(get)
                    #expect(try client.answer().body == "a")
                }
                try others[0].send(play)
                var further: Client?
                try interlude.perform(1) {
                    try others[1].send(play)
                    further = try server.connect()
                }
                // In this iteration the loop has been told of the new client; it can learn of the request in the next
                // one at the earliest.
                try interlude.perform(2) { try oldest.send(get) }
                #expect(try oldest.answer().body == "a")
                try further?.send(get)
                #expect(try further?.answer().body == "a")
                try oldest.send(get)
                #expect(try oldest.answer().body == "a")
            }
        }

        @Test func `serves more clients than it has places, none of which disconnects`() async throws {
            try await withServer(app, .loopback.with(\.maxConnections, 4).with(\.idleGrace, .milliseconds(0))) {
                server in
                var clients: [Client] = []
                for _ in 0..<200 {
                    let client = try server.connect()
                    clients.append(client)
                    try client.send(get)
                    #expect(try client.answer().body == "a")
                }
                #expect(server.events.count(.accepted) == 200)
            }
        }

        @Test func `closes another loop's idle connection if the accepting loop has none`() async throws {
            try await withServer(app, .loopback.with(\.maxConnections, 1).with(\.idleGrace, .milliseconds(0)), loops: 2)
            { server in
                var clients: [Client] = []
                // The kernel chooses the loop: among 40 clients some reach the other one.
                for _ in 0..<40 {
                    let client = try server.connect()
                    clients.append(client)
                    try client.send(get)
                    #expect(try client.answer().body == "a")
                }
                #expect(server.events.count(.closed) >= 39)
            }
        }

        @Test func `keeps an idle connection during its grace`() async throws {
            try await withServer(app, .loopback.with(\.maxConnections, 1).with(\.idleGrace, .milliseconds(60_000))) {
                server in
                let idle = try server.connect()
                try idle.send(get)
                #expect(try idle.answer().body == "a")
                let further = try server.connect()
                try further.send(get)
                await server.events.wait(for: .limitReached(1))
                for _ in 0..<10 {
                    try idle.send(get)
                    #expect(try idle.answer().body == "a")
                }
                #expect(server.events.count(.accepted) == 1)
                idle.finish()
                #expect(try further.answer().body == "a")
            }
        }

        @Test func `keeps an idle connection during its grace however long another client waits`() async throws {
            let options = ServerOptions.loopback.with(\.maxConnections, 2).with(\.idleGrace, .milliseconds(60_000))
            try await withServer(app, options.with(\.headerTimeout, .milliseconds(100))) { server in
                let idle = try server.connect()
                try idle.send(get)
                #expect(try idle.answer().body == "a")
                let busy = try server.connect()
                try busy.send("GET /a HT")
                await server.events.wait(for: .accepted, count: 2)
                let further = try server.connect()
                try further.send(get)
                // After several searches for a place.
                #expect(try busy.answer().status == 408)
                busy.finish()
                #expect(try further.answer().body == "a")
                try idle.send(get)
                #expect(try idle.answer().body == "a")
            }
        }

        @Test func `closes a client that sends nothing, once its grace is over`() async throws {
            try await withServer(app, .loopback.with(\.maxConnections, 1).with(\.idleGrace, .milliseconds(50))) {
                server in
                let silent = try server.connect()
                await server.events.wait(for: .accepted)
                let further = try server.connect()
                try further.send(get)
                #expect(try further.answer().body == "a")
                #expect(try silent.rest() == "")
            }
        }

        @Test func `reports once that accepting fails, and pauses, while the listening socket is broken`() async throws
        {
            let listener = try Listener(host: "127.0.0.1", port: 0)
            let number = listener.descriptor.number
            try await withServer(app, .loopback.with(\.drainDelay, .milliseconds(200)), adopting: number) { server in
                let client = try server.connect()
                try client.send(get)
                #expect(try client.answer().body == "a")
                // Another owner of the socket shut it down: no client can connect any more, and accept(2) fails each
                // time.
                shutdown(number, Int32(SHUT_RDWR))
                await server.events.wait(for: .failed)
                server.stop()
                await server.events.wait(for: .drain(.ended))
                #expect(server.events.count(.failed) == 1)
                #expect(!server.events.all.contains { if case .drainTimedOut = $0 { true } else { false } })
            }
            _ = consume listener
        }

        @Test func `pauses between attempts while accepting keeps failing`() async throws {
            try await withAcceptor(app) { acceptor, listener, _ in
                shutdown(listener, Int32(SHUT_RDWR))
                while await acceptor.losses < Acceptor.lossLimit { try await Task.sleep(for: .milliseconds(2)) }
                let start = ContinuousClock.now
                let before = await acceptor.losses
                while await acceptor.losses < before + 20 { try await Task.sleep(for: .milliseconds(2)) }
                // A pause lasts at least 20 ms; the first may have begun before.
                #expect(start.duration(to: .now) > .milliseconds(300))
            }
        }

        @Test func `an accepted client resets the count of lost ones`() async throws {
            try await withAcceptor(app) { acceptor, number, port in
                let listener = FileDescriptor(owning: dup(number))
                // Replaced by a socket that does not listen, which accept(2) refuses.
                let deaf = FileDescriptor(owning: Glibc.socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0))
                try #require(dup2(deaf.number, number) == number)
                let client = try Client(port: port)
                while await acceptor.losses < Acceptor.lossLimit { try await Task.sleep(for: .milliseconds(2)) }
                try #require(dup2(listener.number, number) == number)
                try client.send(get)
                #expect(try client.answer().body == "a")
                #expect(await acceptor.losses == 0)
            }
        }

        @Test func `a request received but not yet read is answered before an idle connection closes`()
            async throws
        {
            let interlude = Interlude()
            let place = AcceptorPlace()
            var app = app
            app.get("/close") { (_: Request) throws -> Answer in
                interlude.play()
                let worker = place.acceptor.withLock { $0 }?.bound.value.worker
                worker?.drain.enter(.closing)
                worker?.drainChanged()
                return text("closing")
            }
            try await withAcceptor(app, place) { _, _, port in
                let idle = try Client(port: port)
                try idle.send(get)
                #expect(try idle.answer().body == "a")
                let closing = try Client(port: port)
                try closing.send("GET /close HTTP/1.1\r\nHost: a\r\n\r\n")
                try interlude.perform(1) { try idle.send(get) }
                let answer = try idle.answer()
                #expect(answer.body == "a" && answer.field("Connection") == "close")
            }
        }

        @Test func `closes a client for which no descriptor is left`() async {
            await #expect(processExitsWith: .success) {
                let hold = DispatchSemaphore(value: 0)
                var app = App()
                app.get("/hold") { _ in
                    hold.wait()
                    return text("held")
                }
                let options = ServerOptions.loopback.with(\.idleGrace, .milliseconds(60_000)).with(\.maxConnections, 2)
                try await withServer(app, options) { server in
                    let holder = try server.connect()
                    try holder.send("GET /hold HTTP/1.1\r\nHost: a\r\n\r\n")
                    await server.events.wait(for: .started)
                    let waiting = try server.connect()
                    takeAllDescriptors()
                    hold.signal()
                    let answer = try holder.answer()
                    precondition(answer.body == "held")
                    let end = try waiting.rest()
                    precondition(end == "")
                    precondition(server.events.count(.accepted) == 1)
                    // The place is free for the next client once there are descriptors again.
                    limitDescriptors(to: 4096)
                    let further = try server.connect()
                    try further.send("GET /none HTTP/1.1\r\nHost: a\r\n\r\n")
                    let refusal = try further.answer()
                    precondition(refusal.status == 404)
                }
            }
        }

        @Test func `reports a second shortage during the first one`() async throws {
            let listener = try Listener(host: "127.0.0.1", port: 0)
            let number = listener.descriptor.number
            try await withServer(app, .loopback.with(\.maxConnections, 1), adopting: number) { server in
                let busy = try server.connect()
                try busy.send(slow)
                await server.events.wait(for: .started)
                let further = try server.connect()
                await server.events.wait(for: .limitReached(1))
                gate.open()
                #expect(try busy.answer().body == "done")
                busy.finish()
                await server.events.wait(for: .accepted, count: 2)
                further.finish()
                await server.events.wait(for: .closed, count: 2)
                shutdown(number, Int32(SHUT_RDWR))
                await server.events.wait(for: .failed)
            }
            _ = consume listener
        }

        @Test func `serves on several loops with one port`() async throws {
            try await withServer(app, loops: 3) { server in
                for _ in 0..<60 {
                    let client = try server.connect()
                    try client.send(get)
                    #expect(try client.answer().body == "a")
                }
                await server.events.wait(for: .closed, count: 60)
            }
        }

        @Test func `closes the descriptor of each connection that ended`() async throws {
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
                // The descriptor is closed with the connection, right after `closed` is reported.
                let client = try server.connect()
                try client.send(get)
                _ = try client.answer()
                #expect(openSockets(on: server.port) == 2)
            }
        }
    }
}

/// Leaves this process no free descriptor.
private func takeAllDescriptors() {
    limitDescriptors(to: rlim_t(dup(0)))
    // Descriptors that other code of the process has closed in the meantime.
    while dup(0) >= 0 {}
}

private func limitDescriptors(to count: rlim_t) {
    var limit = rlimit()
    // The kernel reads and writes the limit before the calls return.
    precondition(unsafe getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit) == 0)
    limit.rlim_cur = count
    precondition(unsafe setrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit) == 0)
}

/// Gives a handler access to the acceptor of its loop, and so to the worker.
private final class AcceptorPlace: Sendable {
    let acceptor = Mutex<RemoteAcceptor?>(nil)
}

extension RemoteAcceptor {
    fileprivate var losses: Int {
        get async { await perform { $0.losses } }
    }
}

/// Runs `body` with an acceptor on a separate loop, without a server, and with the number and port of its listener.
private func withAcceptor(
    _ app: App, _ place: AcceptorPlace = AcceptorPlace(),
    _ body: (RemoteAcceptor, Int32, UInt16) async throws -> Void
) async throws {
    let loop = try EventLoop(index: 0)
    try loop.start()
    defer { loop.stop() }
    let listener = try Listener(host: "127.0.0.1", port: 0)
    let number = listener.descriptor.number
    let port = try listener.port()
    let worker = Worker(
        loop: loop, app: app, options: .loopback, drain: Drain(),
        quota: ConnectionQuota(limit: 10, memory: .unlimited), trusts: { _ in true }, observe: { _ in })
    let acceptor = RemoteAcceptor(Acceptor(listener, worker: worker), on: loop)
    place.acceptor.withLock { $0 = acceptor }
    try await acceptor.perform { acceptor in
        Result { () throws(SystemError) in try acceptor.begin(beside: []) }
    }.get()
    let running = Task(executorPreference: loop) { await acceptor.bound.value.run() }
    let result: Result<Void, any Error>
    do { result = .success(try await body(acceptor, number, port)) } catch { result = .failure(error) }
    place.acceptor.withLock { $0 = nil }
    await Task(executorPreference: loop) {
        await acceptor.bound.value.finish(by: Instant.now)
    }.value
    await running.value
    try result.get()
}
