import Formatting
import FoundationEssentials
import HTTP1
import HTTPTypes
import Platform
import Reactor
import Synchronization
import Testing

@testable import Vial

/// Work that finishes when the test releases it.
private final class Held: Sendable {
    private let waiting = Mutex<[@Sendable () -> Void]>([])

    var count: Int { waiting.withLock { $0.count } }

    func hold(_ end: @escaping @Sendable () -> Void) { waiting.withLock { $0.append(end) } }

    /// Finishes all held work, latest first.
    func release() {
        let held = waiting.withLock { waiting in
            defer { waiting = [] }
            return waiting
        }
        for end in held.reversed() { end() }
    }
}

struct AnswerTests {
    @Test func `keeps its fields in order`() throws {
        let response = try text("x").location("/items/1").field("ETag", "\"1\"").response
        #expect(String(decoding: response.fields.bytes, as: UTF8.self) == "Location: /items/1\r\nETag: \"1\"\r\n")
        #expect(response.text == "x")
    }

    @Test func `rejects fields with a line break`() {
        #expect(throws: FieldError.invalidValue) { try text("").location("/\r\nX: y") }
        #expect(throws: FieldError.invalidName) { try text("").field("a b", "") }
        #expect(throws: FieldError.reservedName) { try text("").field("Content-Length", "1") }
    }

    @Test func `writes JSON`() throws {
        let response = try Answer.json(status: .created) { json in
            json.beginArray()
            json.value(1)
            json.endArray()
        }.response
        #expect(response.status == .created && response.text == "[1]" && response.type == "application/json")
    }

    @Test func `encodes any Encodable value`() throws {
        struct Order: Encodable {
            let path = "/a/b"
            let due = Date(timeIntervalSince1970: 1_730_462_400)
            let note: String? = nil
            let id = UUID(uuidString: "94ED7868-927D-4BD7-9209-86BFFBBB44FF")
            let amounts = [1.5, -2]
        }
        let response = try Answer.json(Order(), status: .accepted).response
        #expect(response.status == .accepted && response.type == "application/json")
        #expect(
            response.text
                == #"{"amounts":[1.5,-2],"due":"2024-11-01T12:00:00Z","id":"94ED7868-927D-4BD7-9209-86BFFBBB44FF","#
                + #""path":"/a/b"}"#)
    }

    @Test func `a type's own JSON takes precedence over JSONEncoder`() throws {
        struct Both: Encodable, JSONRepresentable {
            let a = 1
            func write(to json: inout JSONWriter) { json.value("written") }
        }
        #expect(try Answer.json(Both()).response.text == #""written""#)
    }

    @Test func `refuses numbers that JSON cannot represent`() {
        #expect(throws: EncodingError.self) { try Answer.json([Double.nan]) }
        #expect(throws: EncodingError.self) { try Answer.json(["a": -Float.infinity]) }
    }

    @Test func `noContent has no Content-Type`() throws {
        let response = try Answer.noContent.response
        #expect(response.status == .noContent && response.contentType == nil && response.body.isEmpty)
    }

    /// Routes that answer in each possible way.
    private func app() -> App {
        var app = App()
        app.get("/at-once") { _ in text("x") }
        app.get("/work") { _ in done { text("x") } }
        app.get("/task") { _ in .task { text("x") } }
        app.get("/work/within/work") { _ in done { done { text("x") } } }
        app.get("/work/within/task") { _ in .task { done { text("x") } } }
        app.get("/task/within/work") { _ in done { .task { text("x") } } }
        return app
    }

    @Test func `may be a response, work or a task, also nested`() async throws {
        let app = app()
        for route in app.routes {
            #expect(await app.respond(to: try Request(.get, route.pattern)).text == "x", "\(route.pattern)")
        }
    }

    @Test func `fields added to a deferred answer are sent with it`() async throws {
        var app = App()
        app.get("/work") { _ in try done { text("x") }.field("A", "1").location("/x") }
        app.get("/task") { _ in try Answer.task { text("x") }.field("A", "1").location("/x") }
        app.get("/refused") { _ in try Answer.task { text("x") }.field("A", "\r\n") }
        for path in ["/work", "/task"] {
            let response = await app.respond(to: try Request(.get, path))
            #expect(response.fields.value("A") == "1" && response.fields.value("Location") == "/x", "\(path)")
        }
        #expect(await app.respond(to: try Request(.get, "/refused")).status == .internalServerError)
    }
}

extension OverSockets {
    struct LaterAnswerTests {
        private func get(_ path: String) -> String { "GET \(path) HTTP/1.1\r\nHost: a\r\n\r\n" }

        private func app(_ held: Held = Held()) -> App {
            var app = App()
            app.get("/held") { _ in
                .work { caller in held.hold { caller.answer { text("released") } } }
            }
            app.get("/held/count") { _ in text("\(held.count)") }
            app.get("/release") { _ in
                held.release()
                return text("done")
            }
            app.get("/at-once/{name}") { (_, name: String) in done { text("this is \(name)") } }
            app.get("/number/{number}") { (_, number: Int64) in done { text("\(number)") } }
            app.get("/throwing") { _ in throw HTTPError(.conflict, "Not now.") }
            app.get("/failing") { _ in done { throw HTTPError(.gone, "No more.") } }
            app.get("/failing/later") { _ in .task { throw HTTPError(.gone, "No more.") } }
            app.get("/next-turn") { _ in nextTurn { text("later") } }
            app.get("/chained") { _ in nextTurn { .task { done { text("later") } } } }
            app.get("/suspended") { _ in
                await withCheckedContinuation { continuation in
                    held.hold { continuation.resume() }
                }
                return text("late")
            }
            app.post("/size") { request in
                let size = request.body.count
                return done { text("\(size)") }
            }
            return app
        }

        /// Returns once `count` pieces of work are held.
        private func wait(for count: Int, _ client: Client) throws {
            repeat { try client.send(get("/held/count")) } while try client.answer().body != "\(count)"
        }

        @Test func `a deferred answer is sent for its own request`() async throws {
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

        @Test func `a finished answer does not wait for the next pipelined request`() async throws {
            try await withServer(app()) { server in
                let client = try server.connect()
                try client.send(get("/at-once/a") + get("/number/1") + get("/held"))
                #expect(try client.answer().body == "this is a")
                #expect(try client.answer().body == "1")
                let other = try server.connect()
                try wait(for: 1, other)
                try other.send(get("/release"))
                #expect(try client.answer().body == "released")
            }
        }

        @Test func `immediate and deferred answers keep the order of pipelined requests`() async throws {
            try await withServer(app()) { server in
                let client = try server.connect()
                let paths = (0..<200).map { ["/next-turn", "/at-once/\($0)", "/number/\($0)", "/chained"][$0 % 4] }
                try client.send(paths.map(get).joined())
                for (index, path) in paths.enumerated() {
                    let expected = ["later", "this is \(index)", "\(index)", "later"][index % 4]
                    #expect(try client.answer().body == expected, "\(path)")
                }
            }
        }

        @Test(arguments: [("/throwing", 409), ("/failing", 410), ("/failing/later", 410), ("/number/x", 404)])
        func `errors of a handler and of its deferred work become responses`(path: String, status: Int)
            async throws
        {
            try await withServer(app()) { server in
                let client = try server.connect()
                try client.send(get(path) + get("/at-once/a"))
                #expect(try client.answer().status == status)
                #expect(try client.answer().body == "this is a")
            }
            #expect(await app().respond(to: try Request(.get, path)).status.code == status)
        }

        @Test func `a body is kept until its handler returns`() async throws {
            try await withServer(app()) { server in
                let client = try server.connect()
                let fields = "Host: a\r\nContent-Type: application/json\r\nContent-Length: 5\r\n\r\n"
                try client.send("POST /size HTTP/1.1\r\n\(fields)12345POST /size HTTP/1.1\r\n\(fields)12345")
                #expect(try client.answer().body == "5")
                #expect(try client.answer().body == "5")
            }
        }

        @Test(arguments: ["/held", "/suspended"])
        func `an overdue handler is answered 504, and its late response is dropped`(
            path: String
        ) async throws {
            let options = ServerOptions.loopback.with(\.requestTimeout, .milliseconds(1))
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

        @Test func `a response just after the handler's deadline is still sent`() async throws {
            var app = App()
            app.get("/late") { _ in
                .work { caller in
                    Task(executorPreference: caller.loop) {
                        await caller.loop?.sleep(for: .milliseconds(100))
                        caller.answer { throw HTTPError(.gatewayTimeout, "The database did not answer in time.") }
                    }
                }
            }
            try await withServer(app, .loopback.with(\.requestTimeout, .milliseconds(20))) { server in
                let client = try server.connect()
                try client.send(get("/late"))
                #expect(try client.answer().body.contains("The database did not answer in time."))
            }
        }

        @Test func `a task after other work gets the rest of the request's time`() async throws {
            var app = App()
            app.get("/") { _ in
                let start = Instant.now
                return .work { caller in
                    let deadline = caller.deadline ?? Instant(nanoseconds: 0)
                    // In a later iteration, in which the loop's clock has moved on.
                    Task(executorPreference: caller.loop) {
                        await caller.loop?.sleep(for: .milliseconds(20))
                        caller.answer {
                            .task { text("\(TaskDeadline.current?.expiry == deadline) \(deadline > start)") }
                        }
                    }
                }
            }
            try await withServer(app) { server in
                let client = try server.connect()
                try client.send(get("/"))
                #expect(try client.answer().body == "true true")
            }
        }

        @Test func `an answer to a client that has left is dropped without harm`() async throws {
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
