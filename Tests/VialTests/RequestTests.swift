import HTTP1
import HTTPTypes
import Testing

@testable import Vial

struct RequestTests {
    @Test func `converts query parameters to their types`() throws {
        let request = try Request(.get, "/?n=-5&t=a+b%26c&e=&x")
        #expect(try request.query("n", default: 1) == -5)
        #expect(try request.query("missing", default: 1) == 1)
        #expect(try request.query("t", as: String.self) == "a b&c")
        #expect(try request.query("e", as: String.self) == "")
        #expect(try request.query("x", as: String.self) == "")
        #expect(try request.query("missing", as: String.self) == nil)
        #expect(try Request(.get, "/").query("n", as: Int.self) == nil)
    }

    @Test(arguments: [
        (["https"], "https"), (["http"], "http"), (["http", "https"], "https"), (["HTTPS"], nil),
        (["https,http"], "http"),
        (["http, https"], "https"), (["xhttps"], nil), (["Xhttps"], nil), (["http, "], nil), (["https,x"], nil),
        (["javascript"], nil), ([""], nil), ([], nil),
    ])
    func `uses X-Forwarded-Proto of a trusted peer only`(values: [String], scheme: String?) throws {
        let request = try Request(.get, "/", fields: values.map { ("X-Forwarded-Proto", $0) })
        #expect(request.forwardedScheme == nil)
        request.isPeerTrusted = true
        #expect(request.forwardedScheme.map { request.head.string($0) } == scheme)
    }

    @Test(arguments: ["", "x", "+5", "5x", "--5", "-", "5-", "1.5", " 5", "0x10", "9223372036854775808", "٣"])
    func `names the parameter that is not a number`(value: String) throws {
        let encoded = value.utf8.map { "%" + ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
        let request = try Request(.get, "/?limit=\(encoded)")
        let error = #expect(throws: HTTPError.self) { try request.query("limit", default: 1) }
        #expect(error?.status == .badRequest)
        #expect(error?.detail == "Query parameter limit must be a whole number.")
    }

    @Test(arguments: [
        ("/?a=1&a=1", "Query parameter a is given twice."),
        ("/?a=1&%61=2", "Query parameter a is given twice."),
        ("/?a=%zz", "A percent sign is not followed by two hexadecimal digits."),
        ("/?b=%FF&a=1", "The request target does not decode to UTF-8."),
        ("/?a=%00", "The request target contains an encoded null character."),
        ("/?" + String(repeating: "x&", count: 129), "The query has too many parameters."),
    ])
    func `refuses a query that is ambiguous or malformed`(target: String, detail: String) throws {
        let request = try Request(.get, target)
        let error = #expect(throws: HTTPError.self) { try request.query("a", as: String.self) }
        #expect(error?.status == .badRequest)
        #expect(error?.detail == detail)
    }

    @Test func `reads fields in any case`() throws {
        let request = try Request(.get, "/", fields: [("aCCept", "text/plain"), ("Accept", "b")])
        #expect(request.field(.accept) == "text/plain")
        #expect(request.field(.authorization) == nil)
    }

    @Test(arguments: [
        (HTTPRequest.Method.get, "GET"), (.post, "POST"), (.put, "PUT"), (.delete, "DELETE"), (.patch, "PATCH"),
    ])
    func `knows its method`(method: HTTPRequest.Method, name: String) throws {
        #expect(try Request(method, "/").method == method)
        // Methods are case-sensitive, RFC 9110 §9.1.
        let other = try #require(HTTPRequest.Method(name.lowercased()))
        #expect(try Request(other, "/").method != method)
    }

    @Test func `no request target makes an application trap`() async throws {
        var app = App(basePath: "/b")
        app.get("/") { _ in .noContent }
        app.get("/{n}") { (request, _: Int64) in
            _ = try request.query("a", as: Int.self)
            return .noContent
        }
        app.get("/{s}/x/{n}") { (_, _: String, _: Int64) in text("") }
        let alphabet = [
            "/", "/", "/b", "%2F", "%2e", "%", "%C3", "%00", ".", "x", "7", "?", "a=", "&", "+", "-", "*",
            "http://test",
        ]
        var sent = 0
        for _ in 0..<20_000 {
            let target = "/" + (0..<Int.random(in: 0...6)).map { _ in alphabet.randomElement() ?? "" }.joined()
            guard let request = try? Request(.get, target) else { continue }
            sent += 1
            let status = await app.respond(to: request).status.code
            #expect([200, 204, 400, 404].contains(status), "\(target)")
        }
        #expect(sent > 5000)
    }
}
