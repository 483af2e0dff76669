import HTTP1
import HTTPTypes
import Testing

@testable import Vial

struct ProblemTests {
    private func type(_ error: HTTPError, under basePath: String = "") throws -> String {
        let text = error.response(to: try Request(.get, "/"), under: basePath).text
        return String(text.split(separator: "\"")[3])
    }

    @Test func `an error has no type but that of its status`() throws {
        for status: HTTPResponse.Status in [.badRequest, .notFound, .preconditionFailed, .serviceUnavailable] {
            #expect(try type(HTTPError(status, "x")) == "about:blank")
        }
        #expect(try type(HTTPError(.unprocessableContent, "x")) == "/problems/validation")
    }

    @Test func `an error may have a type, which is a path below the server's prefix`() throws {
        let error = HTTPError(.unprocessableContent, "x").of(Problem("key-reused", title: "t", explanation: "e"))
        #expect(try type(error) == "/problems/key-reused")
        #expect(try type(error, under: "/a/b") == "/a/b/problems/key-reused")
    }

    @Test func `the app's prefix is part of it`() async throws {
        var app = App(basePath: "/x")
        app.get("/") { _ in throw HTTPError(.conflict, "No.").of(.unavailable) }
        let response = await app.respond(to: try Request(.get, "/x"))
        #expect(response.text.contains(#""type":"/x/problems/unavailable""#))
    }

    @Test(arguments: [
        ("name", "/name"), ("", "/"), ("a.b", "/a.b"), ("a/b~c", "/a~1b~0c"), ("~1", "/~01"),
    ])
    func `a field's pointer is that of a member of the body`(field: String, pointer: String) {
        #expect(HTTPError.FieldError(field: field, message: "").pointer == pointer)
    }

    @Test func `the pointer to a nested member has a step for each`() throws {
        struct Order: Decodable {
            struct Line: Decodable { let amount: Int }
            let lines: [Line]
        }
        let request = try Request(.post, "/", body: #"{"lines":[{"amount":1},{"amount":"x"}]}"#)
        let error = #expect(throws: HTTPError.self) { try request.json(Order.self) }
        #expect(error?.errors.map(\.pointer) == ["/lines/1/amount"])
        #expect(error?.errors.map(\.field) == ["lines.1.amount"])
    }

    @Test(arguments: ["", "A", "a b", "a/b", "a1"]) func `a name has letters and hyphens`(name: String) async {
        await #expect(processExitsWith: .failure) { [name] in _ = Problem(name, title: "", explanation: "") }
    }

    @Test func `an unknown outcome is one of methods that may change something`() throws {
        for (method, isWrite) in [
            (HTTPRequest.Method.get, false), (.head, false), (.options, false), (.post, true), (.put, true),
            (.patch, true), (.delete, true),
        ] {
            let error = HTTPError(unknownOutcomeOf: try Request(method, "/"), .gatewayTimeout, "x")
            #expect(error.problem == (isWrite ? .outcomeUnknown : nil) && error.fields.isEmpty, "\(method)")
        }
    }

    @Test(arguments: [("Idempotency-Key", "a"), ("If-Match", "*"), ("If-None-Match", "\"a\"")])
    func `an unknown outcome has Retry-After if the server recognises the repetition`(name: String, value: String)
        throws
    {
        let request = try Request(.post, "/", fields: [(name, value)])
        let error = HTTPError(unknownOutcomeOf: request, .serviceUnavailable, "x")
        #expect(error.problem == .outcomeUnknown && error.fields.value("Retry-After") == "1")
    }
}
