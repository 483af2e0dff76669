import HTTP1
import HTTPTypes
import Testing

@testable import Vial

struct CrossOriginTests {
    private static let page = "https://app.example.com"

    private func app(origins: [String] = [Self.page, "http://localhost:3000"]) -> App {
        var app = App(basePath: "/x")
        app.crossOrigin = CrossOrigin(origins.compactMap(Origin.init))
        app.get("/a") { _ in try text("a").field("ETag", "\"1\"").field("Vary", "Accept-Encoding") }
        app.post("/a", accepts: .any) { _ in text("changed") }
        app.put("/b") { _ in text("changed") }
        app.delete("/a") { _ in .noContent }
        return app
    }

    private func answer(
        _ method: HTTPRequest.Method, at path: String = "/x/a", _ fields: [(String, String)], of app: App? = nil
    ) async throws -> Response {
        await (app ?? self.app()).respond(to: try Request(method, path, fields: fields))
    }

    private func lines(_ response: Response) -> [String] {
        String(decoding: response.fields.bytes, as: UTF8.self).split(separator: "\r\n").map(String.init)
    }

    @Test(arguments: ["https://app.example.com", "http://localhost:3000"])
    func `a page of an allowed origin may read the answer and these fields`(origin: String) async throws {
        for (method, path, status) in [
            (HTTPRequest.Method.get, "/x/a", 200), (.post, "/x/a", 200), (.get, "/x/none", 404), (.put, "/x/b", 415),
            (.patch, "/x/a", 405),
        ] {
            let response = try await answer(method, at: path, [("Origin", origin), ("Sec-Fetch-Site", "cross-site")])
            #expect(response.status.code == status)
            #expect(response.fields.value("Access-Control-Allow-Origin") == origin)
            #expect(lines(response).contains("Vary: Origin"))
            let exposed = try #require(response.fields.value("Access-Control-Expose-Headers"))
            #expect(exposed.hasPrefix("ETag, Link, Location") && exposed.contains("Idempotent-Replayed"))
            #expect(!lines(response).contains { $0.hasPrefix("Access-Control-Allow-Credentials") })
        }
        let read = try await answer(.get, at: "/x/a", [("Origin", origin)])
        #expect(lines(read).filter { $0.hasPrefix("Vary") } == ["Vary: Accept-Encoding", "Vary: Origin"])
    }

    @Test(arguments: [
        nil, "https://other.example.com", "http://app.example.com", "https://app.example.com:8443", "null", "*",
        "https://app.example.com.evil", "https://app.example.co", "HTTPS://APP.EXAMPLE.COM", "",
    ])
    func `any other page may not, and a cache learns that answers differ`(origin: String?) async throws {
        let response = try await answer(.get, at: "/x/a", origin.map { [("Origin", $0)] } ?? [])
        #expect(response.status == .ok && response.fields.value("Access-Control-Allow-Origin") == nil)
        #expect(lines(response).contains("Vary: Origin"))
    }

    @Test func `two origins in one request are none`() async throws {
        let response = try await answer(.get, [("Origin", Self.page), ("Origin", Self.page)])
        #expect(response.fields.value("Access-Control-Allow-Origin") == nil)
    }

    @Test func `a preflight names the path's methods, and is kept for ten minutes`() async throws {
        let asks = [
            ("Origin", Self.page), ("Access-Control-Request-Method", "PUT"),
            ("Access-Control-Request-Headers", "if-match"),
        ]
        let response = try await answer(.options, asks)
        #expect(response.status == .noContent)
        #expect(
            lines(response) == [
                "Allow: GET, HEAD, POST, DELETE, OPTIONS", "Vary: Origin",
                "Access-Control-Allow-Origin: https://app.example.com",
                "Access-Control-Allow-Methods: GET, HEAD, POST, DELETE, OPTIONS",
                "Access-Control-Allow-Headers: Authorization, Content-Type, Idempotency-Key, If-Match, If-None-Match, "
                    + "Prefer, X-Request-Id", "Access-Control-Max-Age: 600",
            ])
    }

    @Test func `a preflight of another page is allowed nothing`() async throws {
        let asks = [("Origin", "https://other.example.com"), ("Access-Control-Request-Method", "PUT")]
        let response = try await answer(.options, asks)
        #expect(response.status == .noContent && !lines(response).contains { $0.hasPrefix("Access-Control") })
    }

    @Test func `without origins no answer names one`() async throws {
        let response = try await answer(.get, [("Origin", Self.page)], of: app(origins: []))
        #expect(lines(response) == ["ETag: \"1\"", "Vary: Accept-Encoding"])
    }

    @Test(arguments: ["cross-site", "same-site"], [HTTPRequest.Method.post, .delete])
    func `a page of another site may change nothing`(site: String, method: HTTPRequest.Method) async throws {
        for origin in [[], [("Origin", "https://other.example.com")], [("Origin", "null")]] {
            for app in [app(), app(origins: [])] {
                let response = try await answer(method, origin + [("Sec-Fetch-Site", site)], of: app)
                #expect(response.status == .forbidden && response.text.contains(#""type":"about:blank""#))
            }
        }
    }

    @Test(arguments: ["same-origin", "none", "", "Cross-Site", "cross-site-x"])
    func `the app's own pages, and programs, may`(site: String) async throws {
        let own = [("Sec-Fetch-Site", site), ("Origin", "https://api.example.com")]
        #expect(try await answer(.post, own).status == .ok)
        #expect(try await answer(.post, []).status == .ok)
    }

    @Test(arguments: [HTTPRequest.Method.get, .head, .options])
    func `what changes nothing is allowed from everywhere`(method: HTTPRequest.Method) async throws {
        let response = try await answer(method, [("Sec-Fetch-Site", "cross-site")])
        #expect(response.status.code < 300)
    }

    @Test func `a path or method that is not there is told first`() async throws {
        let foreign = [("Sec-Fetch-Site", "cross-site")]
        #expect(try await answer(.post, at: "/x/none", foreign).status == .notFound)
        #expect(try await answer(.patch, at: "/x/a", foreign).status == .methodNotAllowed)
    }

    @Test func `an answer without room for more fields keeps its own`() async throws {
        var app = app()
        app.get("/full") { _ in
            try text("").field("X-Long", String(repeating: "x", count: Limits.responseFieldByteLimit - 20))
        }
        let response = try await answer(.get, at: "/x/full", [("Origin", Self.page)], of: app)
        #expect(response.status == .ok && lines(response).count == 1)
    }

    @Test func `too many origins trap`() async {
        await #expect(processExitsWith: .failure) {
            _ = CrossOrigin((0...CrossOrigin.originLimit).compactMap { Origin("http://a:\($0 + 1)") })
        }
    }
}

extension OverSockets {
    struct CrossOriginTests {
        @Test func `the server's own refusals name the origin too`() async throws {
            var app = App()
            app.crossOrigin = CrossOrigin([try #require(Origin("http://a.example"))])
            app.post("/a", accepts: .any) { _ in text("a") }
            try await withServer(app) { server in
                let client = try server.connect()
                try client.send(
                    "POST /a HTTP/1.1\r\nHost: a\r\nOrigin: http://a.example\r\nContent-Length: 99999999\r\n\r\n")
                let answer = try client.answer()
                #expect(answer.status == 413)
                #expect(answer.field("Access-Control-Allow-Origin") == "http://a.example")
                let other = try server.connect()
                try other.send("BAD\r\n\r\n")
                let refused = try other.answer()
                #expect(refused.status == 400 && refused.field("Vary") == "Origin")
            }
        }
    }
}
