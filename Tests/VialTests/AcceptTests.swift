import HTTP1
import HTTPTypes
import Testing

@testable import Vial

struct AcceptTests {
    private struct Thing: Encodable, Representation {
        static let schema = Schema.object("Thing", [.required("name", .text(1...9))])
        static let body = BodyInput("NewThing") { read in read("name", .text(1...9)) }
        let name: String
    }

    /// An app whose handlers fail the test when they run.
    private var refusing: App {
        var app = App()
        app.offer("application/json")
        app.get("/a") { _ in
            Issue.record("the handler ran")
            return .noContent
        }
        app.post("/a") { _ in
            Issue.record("the handler ran")
            return .noContent
        }
        return app
    }

    private func answer(_ app: App, _ method: HTTPRequest.Method, _ path: String, _ accept: [String]) async throws
        -> Response
    {
        let fields = accept.map { ("Accept", $0) } + (method == .post ? [("Content-Type", "application/json")] : [])
        return await app.respond(to: try Request(method, path, fields: fields, body: method == .post ? "{}" : ""))
    }

    @Test(arguments: [
        ["text/html"], ["application/json;q=0"], ["text/html", "image/png"], ["*/*", "application/json;q=0"],
    ])
    func `what a route does not offer is 406, before its handler runs`(accept: [String]) async throws {
        for method in [HTTPRequest.Method.get, .head, .post] {
            let response = try await answer(refusing, method, "/a", accept)
            #expect(response.status == .notAcceptable && response.type == "application/problem+json")
            #expect(
                response.text.contains(
                    #""detail":"The answer is application/json, which the request does not accept.""#))
        }
    }

    @Test(arguments: [[], ["*/*"], ["application/json"], ["text/html", "application/*;q=0.1"], [""], ["json"]])
    func `what it offers is answered`(accept: [String]) async throws {
        var app = App()
        app.offer("application/json")
        app.get("/a") { _ in text("a") }
        #expect(try await answer(app, .get, "/a", accept).status == .ok)
    }

    @Test func `one of several types is enough, and the refusal names all`() async throws {
        var app = App()
        app.offer("application/json", "text/html")
        app.get("/a") { _ in text("a") }
        #expect(try await answer(app, .get, "/a", ["text/html"]).status == .ok)
        let refused = try await answer(app, .get, "/a", ["image/png"])
        #expect(refused.text.contains("The answer is application/json or text/html, which"))
    }

    @Test func `holds for the routes after it in the same group`() async throws {
        var app = App()
        app.get("/before") { _ in text("") }
        app.group("/group") { group in
            group.offer("application/json")
            group.get("/inside") { _ in text("") }
            group.offer()
            group.get("/any") { _ in text("") }
        }
        app.get("/after") { _ in text("") }
        for (path, status) in [("/before", 200), ("/group/inside", 406), ("/group/any", 200), ("/after", 200)] {
            #expect(try await answer(app, .get, path, ["image/png"]).status.code == status, "\(path)")
        }
    }

    @Test func `a declared operation offers what it declares`() async throws {
        var app = App()
        app.get("/thing", "read_thing", "A thing") { _ in Thing(name: "a") }
        app.post("/thing", "make_thing", "A thing", body: Thing.body) { (_, name) -> Thing in
            Issue.record("the handler ran")
            return Thing(name: name)
        }
        app.delete("/thing", "remove_thing", "A thing") { _ in NoContent() }
        #expect(try await answer(app, .get, "/thing", ["text/html"]).status == .notAcceptable)
        #expect(try await answer(app, .post, "/thing", ["text/html"]).status == .notAcceptable)
        #expect(try await answer(app, .get, "/thing", ["application/json"]).status == .ok)
        #expect(try await answer(app, .delete, "/thing", ["text/html"]).status == .noContent)
    }

    @Test func `a deletion has no content, and offers nothing`() async throws {
        var app = App()
        app.offer("application/json")
        app.delete("/a") { _ in .noContent }
        #expect(try await answer(app, .delete, "/a", ["text/html"]).status == .noContent)
    }

    @Test func `hooks come first, and the body's type comes after`() async throws {
        var app = App()
        app.offer("application/json")
        app.before { _ in throw HTTPError(.unauthorized, "Who are you?") }
        app.get("/hidden") { _ in text("") }
        #expect(try await answer(app, .get, "/hidden", ["text/html"]).status == .unauthorized)
        let fields = [("Accept", "text/html"), ("Content-Type", "text/plain")]
        let request = try Request(.post, "/a", fields: fields, body: "{}")
        #expect(await refusing.respond(to: request).status == .notAcceptable)
    }

    @Test(arguments: ["json", "application", "Application/JSON", "*/*", "text/html;q=1", ""])
    func `traps on what is no media type in lower case`(type: String) async {
        await #expect(processExitsWith: .failure) { [type] in
            var app = App()
            app.offer(type)
        }
    }
}
