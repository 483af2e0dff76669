import HTTP1
import HTTPTypes
import Postgres
import Testing
import Vial

@testable import Items
@testable import TestSupport

@Suite(.timeLimit(.minutes(1))) struct RoutesTests {
    @Test(arguments: [
        ("/api/items", "GET, HEAD, POST, OPTIONS"), ("/api/items/1", "GET, HEAD, OPTIONS"),
    ])
    func `accepts these methods`(path: String, allow: String) async throws {
        try await withUnreachableDatabase { app, _ in
            let response = await app.respond(to: try Request(.options, path))
            #expect(response.fields.value("Allow") == allow)
        }
    }

    @Test(arguments: ["/api/items", "/api/items?limit=5&order=desc", "/api/items/7"])
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

    @Test func `validates the query parameters before a query`() async throws {
        try await withUnreachableDatabase { app, _ in
            for (target, status) in [("/api/items?limit=0", 400), ("/api/items/x", 404)] {
                let response = await app.respond(to: try Request(.get, target))
                #expect(response.status.code == status)
            }
        }
    }
}
