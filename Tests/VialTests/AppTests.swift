import HTTP1
import HTTPTypes
import Testing

@testable import Vial

struct AppTests {
    private struct Unexpected: Error {}
    private struct Known: Error { let seconds: Int }

    @Test func `an error that is thrown is the answer`() async throws {
        var app = App()
        app.get("/items/{id}") { (_, id: Int64) in throw HTTPError(.notFound, "there is no item \(id)") }
        let response = await app.respond(to: try Request(.get, "/items/7?x=1"))
        #expect(response.status == .notFound)
        #expect(response.type == "application/problem+json")
        #expect(
            response.text
                == #"{"type":"about:blank","title":"Not Found","status":404,"detail":"there is no item 7","#
                + #""instance":"/items/7","request_id":"test"}"#)
        #expect(response.failure == nil)
    }

    @Test func `an error keeps its broken rules and its fields`() async throws {
        var app = App()
        app.get("/") { _ in
            throw HTTPError(
                .unprocessableContent, "the \"item\" breaks a rule",
                errors: [.init(field: "name", message: "is required"), .init(field: "a.b", message: "is odd")]
            ).retryAfter(seconds: 3)
        }
        let response = await app.respond(to: try Request(.get, "/"))
        #expect(response.fields.value("Retry-After") == "3")
        #expect(
            response.text
                == #"{"type":"about:blank","title":"Unprocessable Content","status":422,"#
                + #""detail":"the \"item\" breaks a rule","instance":"/","request_id":"test","#
                + #""errors":[{"field":"name","message":"is required"},{"field":"a.b","message":"is odd"}]}"#)
    }

    @Test func `any other error is a 500 that tells nothing and keeps the error for the log`() async throws {
        var app = App()
        app.get("/") { _ in throw Unexpected() }
        let response = await app.respond(to: try Request(.get, "/"))
        #expect(
            response.text
                == #"{"type":"about:blank","title":"Internal Server Error","status":500,"#
                + #""detail":"The server made a mistake.","instance":"/","request_id":"test"}"#)
        #expect(response.failure is Unexpected)
    }

    @Test func `a rule turns errors of its type, and only those, into answers`() async throws {
        var app = App()
        app.onError(Known.self) { HTTPError(.serviceUnavailable, "busy").retryAfter(seconds: $0.seconds) }
        app.get("/known") { _ in throw Known(seconds: 2) }
        app.get("/unknown") { _ in throw Unexpected() }
        app.get("/own") { _ in throw HTTPError(.conflict, "no") }
        let known = await app.respond(to: try Request(.get, "/known"))
        #expect(known.status == .serviceUnavailable)
        #expect(known.fields.value("Retry-After") == "2")
        #expect(known.failure is Known)
        #expect(await app.respond(to: try Request(.get, "/unknown")).status == .internalServerError)
        #expect(await app.respond(to: try Request(.get, "/own")).status == .conflict)
    }

    @Test func `the first rule that fits decides`() async throws {
        var app = App()
        app.onError(Known.self) { _ in HTTPError(.conflict, "first") }
        app.onError(Known.self) { _ in HTTPError(.gone, "second") }
        app.get("/") { _ in throw Known(seconds: 1) }
        #expect(await app.respond(to: try Request(.get, "/")).status == .conflict)
    }

    @Test(arguments: [
        "application/json", "Application/JSON", "application/json;charset=utf-8", "application/json ; charset=utf-8",
        "application/merge-patch+json", "application/vnd.example+JSON",
    ])
    func `takes bodies that are declared as JSON`(type: String) async throws {
        var app = App()
        app.post("/items") { _ in .noContent }
        let request = try Request(.post, "/items", fields: [("Content-Type", type)], body: "{}")
        #expect(await app.respond(to: request).status == .noContent)
    }

    @Test(arguments: [
        nil, "", "text/plain", "application/x-www-form-urlencoded", "application/jsonp", "text/json", "text/x+json",
        "application/json-seq", "json", "application",
    ])
    func `refuses other bodies with 415`(type: String?) async throws {
        var app = App()
        app.post("/items") { _ in .noContent }
        let request = try Request(.post, "/items", fields: type.map { [("Content-Type", $0)] } ?? [], body: "{}")
        #expect(await app.respond(to: request).status == .unsupportedMediaType)
        #expect(await app.respond(to: try Request(.post, "/nothing", body: "{}")).status == .notFound)
    }

    @Test func `the detail of a refusal has no path that was never read`() {
        let response = HTTPError(ProtocolError.badVersion).response(to: Request())
        #expect(response.closes)
        #expect(
            response.text
                == #"{"type":"about:blank","title":"Bad Request","status":400,"#
                + #""detail":"The request line does not end with an HTTP version.","instance":"about:blank","#
                + #""request_id":""}"#)
    }

    @Test(arguments: ProtocolError.allCases) func `every refusal has a title`(error: ProtocolError) {
        let status = HTTPError(error).status
        #expect(status.code == error.status)
        #expect(!status.reasonPhrase.isEmpty)
    }

    @Test func `a handler that never waits needs no task`() async throws {
        var app = App()
        app.get("/at-once") { _ in text("at once") }
        app.get("/later") { _ in
            await Task.yield()
            return text("later")
        }
        app.get("/failing") { _ in throw HTTPError(.conflict, "Not now.") }
        guard case .handler(.immediate) = app.plan(for: try Request(.get, "/at-once")),
            case .handler(.suspending) = app.plan(for: try Request(.get, "/later")),
            case .handler(.immediate(let failing)) = app.plan(for: try Request(.get, "/failing"))
        else {
            Issue.record("a handler of the wrong kind")
            return
        }
        #expect(app.run(failing, try Request(.get, "/failing")).status == .conflict)
        #expect(await app.respond(to: try Request(.get, "/at-once")).text == "at once")
        #expect(await app.respond(to: try Request(.get, "/later")).text == "later")
    }

    @Test func `a second path parameter is the handler's to ask for`() async throws {
        var app = App()
        app.get("/a/{first}/b/{second}") { (request, first: Int64) in
            text("\(first) \(request.parameter(1) ?? "none")")
        }
        #expect(await app.respond(to: try Request(.get, "/a/1/b/x%2Fy")).text == "1 x/y")
    }

    @Test(arguments: ["BREW", "TRACE"])
    func `what is refused without routing has no route, whatever the object served before`(method: String) async throws
    {
        var app = App()
        app.get("/") { _ in text("root") }
        let request = try Request(.get, "/")
        _ = await app.respond(to: request)
        #expect(request.route?.pattern == "/")
        request.head = try Request(try #require(HTTPRequest.Method(method)), "/").head
        _ = await app.respond(to: request)
        #expect(request.route == nil)
    }
}
