import HTTP1
import HTTPTypes
import Testing

@testable import Vial

struct AppTests {
    private struct Unexpected: Error {}
    private struct Known: Error { let seconds: Int }

    @Test func `a thrown HTTPError becomes the response`() async throws {
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

    @Test func `an HTTPError's field errors and header fields are sent`() async throws {
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
                == #"{"type":"/problems/validation","title":"Unprocessable Content","status":422,"#
                + #""detail":"the \"item\" breaks a rule","instance":"/","request_id":"test","#
                + #""errors":[{"pointer":"/name","field":"name","message":"is required"},"#
                + #"{"pointer":"/a.b","field":"a.b","message":"is odd"}]}"#)
    }

    @Test func `any other error is a 500 without details and is kept for the log`() async throws {
        var app = App()
        app.get("/") { _ in throw Unexpected() }
        let response = await app.respond(to: try Request(.get, "/"))
        #expect(
            response.text
                == #"{"type":"about:blank","title":"Internal Server Error","status":500,"#
                + #""detail":"An unexpected error occurred.","instance":"/","request_id":"test"}"#)
        #expect(response.failure is Unexpected)
    }

    @Test func `a rule maps errors of its type only`() async throws {
        var app = App()
        app.onError(Known.self) { error, _ in
            HTTPError(.serviceUnavailable, "busy").retryAfter(seconds: error.seconds)
        }
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

    @Test func `the first matching rule decides`() async throws {
        var app = App()
        app.onError(Known.self) { _, _ in HTTPError(.conflict, "first") }
        app.onError(Known.self) { _, _ in HTTPError(.gone, "second") }
        app.get("/") { _ in throw Known(seconds: 1) }
        #expect(await app.respond(to: try Request(.get, "/")).status == .conflict)
    }

    /// The response to a body with these fields, on a route that accepts JSON.
    private func answer(toBodyWith fields: [(String, String)]) async throws -> Response {
        var app = App()
        app.post("/items") { _ in .noContent }
        return await app.respond(to: try Request(.post, "/items", fields: fields, body: "{}"))
    }

    @Test(arguments: [
        "application/json", "Application/JSON", "application/json;charset=utf-8", "application/json ; charset=utf-8",
        "application/json\t;\tcharset=utf-8", "application/json;", "application/json ; ; ", "application/json;a=b",
        "application/json; charset=UTF-8", "application/json; Charset=\"utf-8\"",
        "application/json; charset=\"\\utf-8\"",
        "application/json; charset=us-ascii", "application/json; a=\";charset=latin1\"; charset=utf8",
        "application/merge-patch+json", "application/vnd.example+JSON", "application/vnd.example+json;version=1",
    ])
    func `accepts bodies declared as JSON`(type: String) async throws {
        #expect(try await answer(toBodyWith: [("Content-Type", type)]).status == .noContent)
    }

    @Test(arguments: [
        nil, "", "text/plain", "application/x-www-form-urlencoded", "application/jsonp", "text/json", "text/x+json",
        "application/json-seq", "json", "application", "application/", "/json", "application/ json",
        "application/+json",
        // A list is not a media type, and two readers may choose different elements of it.
        "application/json, text/plain", "application/json,application/json", "application/json;a=b,text/plain",
        // Not in the form of RFC 9110 §8.3.1.
        "application/json charset=utf-8", "application/json;charset", "application/json;charset=",
        "application/json;=b",
        "application/json;charset =utf-8", "application/json;charset= utf-8", "application/json;a=\"b",
        "application/json;a=\"b\"c", "application/json;a=\"b\\",
    ])
    func `refuses other bodies with 415`(type: String?) async throws {
        let response = try await answer(toBodyWith: type.map { [("Content-Type", $0)] } ?? [])
        #expect(response.status == .unsupportedMediaType)
        #expect(response.fields.value("Accept") == "application/json")
        #expect(response.fields.value("Accept-Encoding") == nil)
        #expect(await App().respond(to: try Request(.post, "/nothing", body: "{}")).status == .notFound)
    }

    // RFC 8259 §8.1: JSON is UTF-8. A reader that follows the parameter would read different characters.
    @Test(arguments: [
        "iso-8859-1", "\"ISO-8859-1\"", "utf-16", "utf-8x", "utf", "\"\"", "utf-8;charset=latin1",
        "utf-8;a=b;CHARSET=utf-7",
    ])
    func `refuses a body in another character set with 415`(charset: String) async throws {
        let response = try await answer(toBodyWith: [("Content-Type", "application/json; charset=\(charset)")])
        #expect(response.status == .unsupportedMediaType)
        #expect(response.text.contains("\"detail\":\"The body must be UTF-8.\""))
    }

    @Test(arguments: [
        ["application/json", "application/json"], ["application/json", "text/plain"],
        ["text/plain", "application/json"],
        ["application/json", ""],
    ])
    func `refuses a second Content-Type, equal or not`(types: [String]) async throws {
        let response = try await answer(toBodyWith: types.map { ("Content-Type", $0) })
        #expect(response.status == .badRequest)
        #expect(response.text.contains("\"detail\":\"The Content-Type field occurs more than once.\""))
    }

    // RFC 9110 §15.5.16: the response says what would have been accepted.
    @Test(arguments: [
        ["gzip"], ["GZip"], ["br"], ["deflate"], ["zstd"], ["x-gzip"], ["identity, gzip"], ["gzip, identity"],
        ["gzip,gzip"],
        ["identity", "gzip"], ["gzip", "identity"], ["identityx"], ["identity;q=1"], ["*"], ["identity gzip"],
    ])
    func `refuses a content coding with 415`(codings: [String]) async throws {
        let fields = [("Content-Type", "application/json")] + codings.map { ("Content-Encoding", $0) }
        let response = try await answer(toBodyWith: fields)
        #expect(response.status == .unsupportedMediaType)
        #expect(response.fields.value("Accept-Encoding") == "identity")
        #expect(response.fields.value("Accept") == nil)
        #expect(response.text.contains("\"detail\":\"The body must have no content coding.\""))
    }

    // RFC 9110 §12.5.3: identity means no coding.
    @Test(arguments: [["identity"], ["Identity"], [""], [" , "], ["identity,\tidentity"], ["identity", ""]])
    func `identity is no content coding`(codings: [String]) async throws {
        let fields = [("Content-Type", "application/json")] + codings.map { ("Content-Encoding", $0) }
        #expect(try await answer(toBodyWith: fields).status == .noContent)
    }

    @Test func `the content type of a request without a body is not checked`() async throws {
        var app = App()
        app.get("/items") { _ in .noContent }
        app.delete("/items/{id}") { (_, _: Int64) in .noContent }
        let fields = [("Content-Type", "text/plain"), ("Content-Type", "a"), ("Content-Encoding", "gzip")]
        #expect(await app.respond(to: try Request(.get, "/items", fields: fields)).status == .noContent)
        #expect(await app.respond(to: try Request(.delete, "/items/1", fields: fields)).status == .noContent)
    }

    @Test func `the refusal of an unparsed head has no path`() {
        let response = HTTPError(ProtocolError.badVersion).response(to: Request(), under: "")
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

    @Test func `a synchronous handler needs no task`() async throws {
        var app = App()
        app.get("/at-once") { _ in text("at once") }
        app.get("/later") { _ in
            await Task.yield()
            return text("later")
        }
        func answer(_ path: String) throws -> Answer {
            guard case .target(let target) = app.plan(for: try Request(.get, path)) else {
                return try #require(nil, "no handler")
            }
            return try target.handler(try Request(.get, path))
        }
        #expect(try answer("/at-once").response.text == "at once")
        guard case .task = try answer("/later").kind else {
            Issue.record("an asynchronous handler was called in passing")
            return
        }
        #expect(await app.respond(to: try Request(.get, "/later")).text == "later")
    }

    @Test func `a handler gets all path parameters, for any method, sync or async`() async throws {
        var app = App()
        let path = "/a/{first}/b/{second}/c/{third}"
        app.get(path) { (_, first: Int64, second: String, third: Int64) in text("\(first) \(second) \(third)") }
        app.post(path) { (_, first: Int64, second: String, third: String) async in text("\(first) \(second) \(third)") }
        app.put(path) { (_, first: String, second: String, third: String) in text("\(first) \(second) \(third)") }
        app.patch(path) { (_, first: String, second: String, third: String) async in
            text("\(first) \(second) \(third)")
        }
        app.delete(path) { (_, first: String, second: String, third: Int64) in text("\(first) \(second) \(third)") }
        for method in [HTTPRequest.Method.get, .post, .put, .patch, .delete] {
            let fields = [("Content-Type", "application/json")]
            let request = try Request(method, "/a/1/b/x%2Fy/c/3", fields: fields)
            #expect(await app.respond(to: request).text == "1 x/y 3", "\(method)")
        }
        #expect(await app.respond(to: try Request(.get, "/a/1/b/x/c/y")).status == .notFound)
        #expect(await app.respond(to: try Request(.delete, "/a/1/b/x/c/y")).status == .notFound)
    }

    @Test func `a route that accepts any content gets any body`() async throws {
        var app = App()
        app.post("/hooks/{name}", accepts: .any) { (request, name: String) in text("\(name) \(request.body.count)") }
        let form = try Request(.post, "/hooks/a", fields: [("Content-Type", "text/plain")], body: "a=b")
        #expect(await app.respond(to: form).text == "a 3")
        #expect(await app.respond(to: try Request(.post, "/hooks/a")).text == "a 0")
    }

    @Test func `a group's prefix applies to its own patterns only`() async throws {
        var app = App(basePath: "/base")
        app.group("/api") { api in
            api.get("/items") { _ in text("items") }
            api.group("/{owner}") { owner in
                owner.get("/items/{id}") { (_, owner: String, id: Int64) in text("\(owner) \(id)") }
            }
        }
        app.get("/items") { _ in text("outside") }
        #expect(await app.respond(to: try Request(.get, "/base/api/items")).text == "items")
        #expect(await app.respond(to: try Request(.get, "/base/api/me/items/7")).text == "me 7")
        #expect(await app.respond(to: try Request(.get, "/base/items")).text == "outside")
        #expect(app.routes.map(\.pattern) == ["/api/items", "/api/{owner}/items/{id}", "/items"])
    }

    @Test func `hooks run in order, for the group's later routes, before the body is read`() async throws {
        var app = App()
        app.get("/before") { _ in text("before") }
        app.group("/guarded") { guarded in
            guarded.before { request in
                if request.field(.authorization) == nil { throw HTTPError(.unauthorized, "Who are you?") }
            }
            guarded.before { request in
                if request.field(.authorization) == "b" { throw HTTPError(.forbidden, "Not you.") }
            }
            guarded.post("/items") { _ in text("made") }
        }
        app.get("/after") { _ in text("after") }
        func status(_ path: String, _ method: HTTPRequest.Method, _ user: String?) async throws -> Int {
            let fields = [("Content-Type", "text/plain")] + (user.map { [("Authorization", $0)] } ?? [])
            return await app.respond(to: try Request(method, path, fields: fields)).status.code
        }
        #expect(try await status("/guarded/items", .post, nil) == 401)
        #expect(try await status("/guarded/items", .post, "b") == 403)
        // A request that passes the hooks is checked next: its body is refused.
        #expect(try await status("/guarded/items", .post, "a") == 415)
        #expect(try await status("/guarded/items", .get, nil) == 405)
        #expect(try await status("/before", .get, nil) == 200)
        #expect(try await status("/after", .get, nil) == 200)
        guard case .answer = app.plan(for: try Request(.post, "/guarded/items")) else {
            Issue.record("a request was not refused by its head")
            return
        }
    }

    @Test func `a 4xx from a rule is not logged as a failure`() async throws {
        var app = App()
        app.onError(Known.self) { error, _ in HTTPError(error.seconds == 1 ? .conflict : .gatewayTimeout, "no") }
        app.get("/{seconds}") { (_, seconds: Int64) in throw Known(seconds: Int(seconds)) }
        #expect(await app.respond(to: try Request(.get, "/1")).failure == nil)
        #expect(await app.respond(to: try Request(.get, "/2")).failure is Known)
    }

    @Test(arguments: ["api", "/api/", "/"]) func `an invalid prefix traps`(
        prefix: String
    ) async {
        await #expect(processExitsWith: .failure) { [prefix] in
            var app = App()
            app.group(prefix) { $0.get("/a") { _ in .noContent } }
        }
    }

    @Test func `a pattern in a group begins with a slash`() async {
        await #expect(processExitsWith: .failure) {
            var app = App()
            app.group("/api") { $0.get("orders") { _ in .noContent } }
        }
    }

    @Test(arguments: ["a", "/a/", "/a/{b}", "/a//"]) func `an unreachable pattern traps`(
        pattern: String
    ) async {
        await #expect(processExitsWith: .failure) { [pattern] in
            var app = App()
            app.get(pattern) { _ in .noContent }
        }
    }

    @Test func `a rule that returns nil leaves the error to later rules`() async throws {
        var app = App()
        app.onError(Known.self) { error, _ in error.seconds > 1 ? HTTPError(.conflict, "first") : nil }
        app.onError(Known.self) { _, _ in HTTPError(.gone, "second") }
        app.get("/{seconds}") { (_, seconds: Int64) in throw Known(seconds: Int(seconds)) }
        #expect(await app.respond(to: try Request(.get, "/2")).status == .conflict)
        #expect(await app.respond(to: try Request(.get, "/1")).status == .gone)
    }

    @Test func `a request refused without routing has no route, even on a reused object`() async throws {
        var app = App()
        app.get("/") { _ in text("root") }
        let request = try Request(.get, "/")
        _ = await app.respond(to: request)
        #expect(request.route?.pattern == "/")
        request.head = try Request(try #require(HTTPRequest.Method("BREW")), "/").head
        _ = await app.respond(to: request)
        #expect(request.route == nil)
    }
}
