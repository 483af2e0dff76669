import HTTP1
import HTTPTypes
import Testing

@testable import Vial

struct RouterTests {
    /// Responds with the route's name and its parameter.
    private func makeApp(basePath: String = "") -> App {
        var app = App(basePath: basePath)
        app.get("/") { _ in text("root") }
        app.get("/items") { _ in text("list") }
        app.post("/items") { _ in text("create") }
        app.get("/items/{id}") { (_, id: Int64) in text("item \(id)") }
        app.delete("/items/{id}") { (_, id: Int64) in text("delete \(id)") }
        app.get("/items/latest") { _ in text("latest") }
        app.get("/names/{name}") { (_, name: String) in text("name \(name)") }
        app.get("/names/{name}/parts") { (_, name: String) in text("parts of \(name)") }
        return app
    }

    @Test(arguments: [
        ("/", "root"), ("/items", "list"), ("/items?x=1", "list"), ("/items/7", "item 7"),
        ("/items/latest", "latest"),  // A literal takes precedence.
        ("/items/%6Catest", "latest"),  // An escape is another spelling of the same segment.
        ("/items/9223372036854775807", "item 9223372036854775807"), ("/items/0", "item 0"), ("/items/%37", "item 7"),
        ("/names/a+b", "name a+b"), ("/names/a%20%C3%A4", "name a ä"), ("/names/...", "name ..."),
        ("/names/.x", "name .x"), ("/names/x.", "name x."),
        ("/names/x/parts", "parts of x"),
        ("/names/a%2Fparts", "name a/parts"),  // An encoded slash is data.
        ("/names/%252E", "name %2E"),  // Decoded once.
        ("http://test", "root"), ("http://test?x", "root"), ("http://test/items/7", "item 7"),
    ])
    func `finds the handler and its parameter`(target: String, answer: String) async throws {
        let response = await makeApp().respond(to: try Request(.get, target))
        #expect(response.status == .ok)
        #expect(response.text == answer)
    }

    @Test(arguments: [
        "/nothing", "/item", "/itemss", "/Items", "/items/", "/items//", "//items", "//", "/items//7",
        "/items/x", "/items/-", "/items/-0", "/items/-01", "/items/--1", "/items/+1", "/items/01", "/items/00",
        "/items/1.0", "/items/1%2e",
        "/items/9223372036854775808", "/items/99999999999999999999", "/items/7/", "/items/7/x", "/items%2F7",
        "/names/.", "/names/..", "/names/%2E", "/names/%2e%2E", "/names/.%2e", "/names/./parts", "/names/../items",
        "/./items", "/../items", "/items/.", "/items/../items", "/names/%FF", "/names/%C3", "/names",
    ])
    func `matches nothing`(target: String) async throws {
        let response = await makeApp().respond(to: try Request(.get, target))
        #expect(response.status == .notFound)
        #expect(response.type == "application/problem+json")
    }

    @Test(arguments: [
        ("/", "GET, HEAD, OPTIONS"), ("/items", "GET, HEAD, POST, OPTIONS"), ("/items/7", "GET, HEAD, DELETE, OPTIONS"),
        ("/names/x", "GET, HEAD, OPTIONS"),
    ])
    func `lists the methods of a path with 405 and for OPTIONS`(path: String, allow: String) async throws {
        let app = makeApp()
        let refusal = await app.respond(to: try Request(.patch, path, fields: [("Content-Type", "application/json")]))
        #expect(refusal.status == .methodNotAllowed)
        #expect(refusal.fields.value("Allow") == allow)
        let options = await app.respond(to: try Request(.options, path))
        #expect(options.status == .noContent)
        #expect(options.fields.value("Allow") == allow)
        #expect(options.body.isEmpty && options.contentType == nil)
    }

    @Test(arguments: ["*", "http://test"]) func `answers OPTIONS for the whole server`(target: String) async throws {
        let response = await makeApp().respond(to: try Request(.options, target))
        #expect(response.status == .noContent)
        #expect(response.fields.value("Allow") == "GET, HEAD, POST, DELETE, OPTIONS")
        let none = await App().respond(to: try Request(.options, target))
        #expect(none.fields.value("Allow") == "OPTIONS")
    }

    @Test func `answers HEAD with the handler of GET`() async throws {
        let app = makeApp()
        #expect(await app.respond(to: try Request(.head, "/items/7")).text == "item 7")
        #expect(await app.respond(to: try Request(.head, "/nothing")).status == .notFound)
    }

    @Test func `answers unknown methods with 501 on any path`() async throws {
        let app = makeApp()
        for method in ["BREW", "get", "PROPFIND"] {
            for path in ["/items", "/nothing"] {
                let method = try #require(HTTPRequest.Method(method))
                #expect(await app.respond(to: try Request(method, path)).status == .notImplemented)
            }
        }
    }

    @Test func `never echoes a TRACE`() async throws {
        for (path, allow) in [("/items", "GET, HEAD, POST, OPTIONS"), ("/items/7", "GET, HEAD, DELETE, OPTIONS")] {
            let request = try Request(.trace, path)
            let response = await makeApp().respond(to: request)
            #expect(response.status == .methodNotAllowed)
            #expect(response.fields.value("Allow") == allow)
            #expect(request.route != nil)
        }
        let nothing = await makeApp().respond(to: try Request(.trace, "/nothing"))
        #expect(nothing.status == .notFound && nothing.fields.value("Allow") == nil)
    }

    @Test func `records the pattern, not the path`() async throws {
        let app = makeApp(basePath: "/base")
        let request = try Request(.get, "/base/items/7")
        _ = await app.respond(to: request)
        #expect(request.route?.pattern == "/items/{id}")
        let stranger = try Request(.get, "/base/items/x/y")
        _ = await app.respond(to: stranger)
        #expect(stranger.route == nil)
    }

    @Test(arguments: [
        ("/base/items", "list"), ("/base/items/7", "item 7"), ("/base", "root"), ("/base/", "root"),
        ("/base/?q", "root"),
        ("/b%61se/", "root"),
    ])
    func `serves everything under the base path`(target: String, answer: String) async throws {
        #expect(await makeApp(basePath: "/base").respond(to: try Request(.get, target)).text == answer)
    }

    @Test(arguments: [
        "/", "/items", "/base/base", "/base//", "/base//items", "/base/items/", "/bas", "/basement", "http://test",
    ])
    func `serves nothing outside the base path`(target: String) async throws {
        #expect(await makeApp(basePath: "/base").respond(to: try Request(.get, target)).status == .notFound)
    }

    @Test func `lists each route once, in registration order`() {
        let routes = makeApp(basePath: "/base").routes
        #expect(
            routes.map(\.pattern) == [
                "/", "/items", "/items/{id}", "/items/latest", "/names/{name}", "/names/{name}/parts",
            ])
        #expect(routes.map(\.ordinal) == Array(routes.indices))
    }

    @Test func `traps when a route is registered twice`() async {
        await #expect(processExitsWith: .failure) {
            var app = App()
            app.get("/items/{id}") { (_, _: Int64) in .noContent }
            app.get("/items/{name}") { (_, _: String) in .noContent }
        }
    }

    @Test func `traps on a pattern that matches no path`() async {
        await #expect(processExitsWith: .failure) {
            var app = App()
            app.get("items") { _ in .noContent }
        }
        await #expect(processExitsWith: .failure) {
            var app = App()
            app.get("/items/{id") { _ in .noContent }
        }
        await #expect(processExitsWith: .failure) {
            var app = App()
            app.get("/{a}/{b}/{c}") { _ in .noContent }
        }
    }
}
