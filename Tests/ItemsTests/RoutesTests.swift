import HTTP1
import HTTPTypes
import Postgres
import Synchronization
import Testing
import Vial

@testable import Items
@testable import TestSupport

@Suite(.timeLimit(.minutes(1))) struct RoutesTests {
    @Test(arguments: [
        ("/api/items", "GET, HEAD, POST, OPTIONS", nil), ("/api/items/batch", "POST, OPTIONS", nil),
        ("/api/items/1", "GET, HEAD, PUT, PATCH, DELETE, OPTIONS", "application/merge-patch+json"),
    ])
    func `accepts these methods`(path: String, allow: String, patch: String?) async throws {
        try await withUnreachableDatabase { app, _ in
            let response = await app.respond(to: try Request(.options, path))
            #expect(response.fields.value("Allow") == allow)
            #expect(response.fields.value("Accept-Patch") == patch)
        }
    }

    @Test(arguments: ["/api/items", "/api/items?limit=5&order=desc", "/api/items?q=a", "/api/items/7"])
    func `answers 503 with Retry-After while the database is unavailable`(target: String) async throws {
        try await withUnreachableDatabase { app, _ in
            let response = await app.respond(to: try Request(.get, target))
            #expect(response.status == .serviceUnavailable)
            #expect(response.fields.value("Retry-After") == "1")
            #expect(!response.text.contains("refused"))
            #expect(response.failure as? DatabaseError == .unavailable)
        }
    }

    @Test(arguments: [
        (#"{"name":"x"}"#, 503), (#"{"name":""}"#, 422), ("{}", 422), (#"{"name":1}"#, 422), ("[]", 422), ("{", 400),
        ("", 400),
    ])
    func `validates an item before a query`(body: String, status: Int) async throws {
        try await withUnreachableDatabase { app, _ in
            let request = try Request(.post, "/api/items", fields: [("Content-Type", "application/json")], body: body)
            #expect(await app.respond(to: request).status.code == status)
        }
    }

    /// The answer that a test waits for.
    private final class Answered: Sendable {
        let response = Mutex<Response?>(nil)
    }

    private func answer(
        _ method: HTTPRequest.Method, _ path: String = "/api/items/7", _ fields: [(String, String)] = [],
        type: String? = "application/json", body: String = "", variables: [String: String] = [:]
    ) async throws -> Response {
        let fields = fields + (type.map { [("Content-Type", $0)] } ?? [])
        let answered = Answered()
        try await withUnreachableDatabase(variables) { app, _ in
            let response = await app.respond(to: try Request(method, path, fields: fields, body: body))
            answered.response.withLock { $0 = response }
        }
        return try #require(answered.response.withLock { $0 })
    }

    @Test(arguments: [
        (#"{"name":"x"}"#, 503, 503), (#"{"name":" "}"#, 422, 422), ("{}", 422, 503), (#"{"name":null}"#, 422, 422),
        (#"{"name":"x","description":null}"#, 503, 503), (#"{"description":""}"#, 422, 503), ("[]", 422, 422),
        (#"{"name":"x","colour":1}"#, 422, 422), (#"{"name":"x","id":7,"created_at":0}"#, 503, 503),
        (#"{"name":"x","id":8}"#, 422, 422), (#"{"name":"x","id":"7"}"#, 422, 422), ("{", 400, 400), ("", 400, 400),
    ])
    func `validates a change before a query`(body: String, put: Int, patch: Int) async throws {
        #expect(try await answer(.put, body: body).status.code == put)
        #expect(try await answer(.patch, body: body).status.code == patch)
    }

    @Test(arguments: [
        ("application/merge-patch+json", 503), ("application/json", 503),
        ("Application/Merge-Patch+JSON;charset=utf-8", 503),
        ("application/json-patch+json", 415), ("application/x+json", 415), ("text/plain", 415), (nil, 415),
    ])
    func `a patch is a merge patch`(type: String?, expected: Int) async throws {
        let response = try await answer(.patch, type: type, body: "{}")
        #expect(response.status.code == expected)
        #expect(response.fields.value("Accept-Patch") == (expected == 415 ? "application/merge-patch+json" : nil))
    }

    @Test(arguments: [HTTPRequest.Method.put, .patch, .delete])
    func `a change without If-Match is refused if preconditions are required`(method: HTTPRequest.Method) async throws {
        let required = ["REQUIRE_PRECONDITIONS": "1"]
        let body = method == .delete ? "" : #"{"name":"x"}"#
        let response = try await answer(method, body: body, variables: required)
        #expect(response.status == .preconditionRequired)
        #expect(try await answer(method, body: body).status == .serviceUnavailable)
        let conditional = try await answer(method, "/api/items/7", [("If-Match", "*")], body: body, variables: required)
        #expect(conditional.status == .serviceUnavailable)
        #expect(try await answer(.get, variables: required).status == .serviceUnavailable)
        #expect(try await answer(.post, "/api/items", body: body, variables: required).status != .preconditionRequired)
    }

    @Test(arguments: [
        ("If-Match", "*", 503), ("If-Match", "\"a\"", 412), ("If-None-Match", "*", 412),
        ("If-None-Match", "\"a\"", 412),
        ("If-Match", "a", 400),
    ])
    func `a create satisfies no condition but an asterisk in If-Match`(
        field: String, value: String, expected: Int
    ) async throws {
        let response = try await answer(.post, "/api/items", [(field, value)], body: #"{"name":"x"}"#)
        #expect(response.status.code == expected)
    }

    @Test func `a malformed condition is refused before a query`() async throws {
        for method in [HTTPRequest.Method.get, .head, .put, .patch, .delete] {
            let body = method == .put || method == .patch ? "{}" : ""
            #expect(
                try await answer(method, "/api/items/7", [("If-None-Match", "x")], body: body).status == .badRequest)
        }
    }

    @Test func `validates the query parameters before a query`() async throws {
        try await withUnreachableDatabase { app, _ in
            for (target, status) in [("/api/items?limit=0", 400), ("/api/items/x", 404)] {
                let response = await app.respond(to: try Request(.get, target))
                #expect(response.status.code == status)
            }
        }
    }
}
