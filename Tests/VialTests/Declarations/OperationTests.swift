import HTTP1
import HTTPTypes
import Testing

@testable import Vial

private struct Thing: Encodable, Representation, Equatable {
    static let schema = Schema.object(
        "Thing", [.readOnly("id", .int64), .required("name", .text(1...5, example: "a"))])
    let id: Int64
    let name: String
}

private let name = BodyInput("NewThing") { read in read("name", .text(1...5, example: "a")) }
private let limit = QueryInput { read in read("limit", .int(1...9), default: 3) }

/// An app with one operation of each kind.
private var app: App {
    var app = App(basePath: "/base")
    app.group("/api/things") { things in
        things.get("", "list_things", "Lists things", query: limit) { (_, limit) in Thing(id: Int64(limit), name: "l") }
        things.post("", "create_thing", "Makes a thing", body: name, answer: .created(at: \.id)) {
            (_, name) in Thing(id: 7, name: name)
        }
        things.get("/{id}", "read_thing", "Reads a thing") { (_, id: Int64) in id == 7 ? Thing(id: 7, name: "r") : nil }
        things.put("/{id}", "replace_thing", "Replaces a thing", body: name) { (_, name, id: Int64) async in
            Thing(id: id, name: name)
        }
        things.delete("/{id}", "delete_thing", "Removes a thing", answer: .ok(missing: "It is gone.")) {
            (_, id: Int64) in id == 7 ? NoContent() : nil
        }
        things.patch("/{id}", "patch_thing", "Changes a thing", body: name, traits: [.conditional, .minimal]) {
            (_, name, id: Int64) in try Answer.json(Thing(id: id, name: name)).representing(Thing.self)
        }
    }
    return app
}

struct OperationTests {
    private func respond(_ method: HTTPRequest.Method, _ path: String, _ body: String = "") async throws -> Response {
        let fields = body.isEmpty ? [] : [("Content-Type", "application/json")]
        return await app.respond(to: try Request(method, "/base/api/things" + path, fields: fields, body: body))
    }

    @Test func `answers with the returned value`() async throws {
        let list = try await respond(.get, "?limit=5")
        #expect(list.status == .ok && list.text == #"{"id":5,"name":"l"}"#)
        #expect(try await respond(.get, "").text == #"{"id":3,"name":"l"}"#)
        #expect(try await respond(.get, "/7").text == #"{"id":7,"name":"r"}"#)
        #expect(try await respond(.put, "/8", #"{"name":"p"}"#).text == #"{"id":8,"name":"p"}"#)
        #expect(try await respond(.patch, "/8", #"{"name":"p"}"#).text == #"{"id":8,"name":"p"}"#)
    }

    @Test func `a created resource has a location below the request's path`() async throws {
        let created = try await respond(.post, "", #"{"name":"c"}"#)
        #expect(created.status == .created && created.text == #"{"id":7,"name":"c"}"#)
        #expect(created.fields.value("Location") == "/base/api/things/7")
    }

    @Test func `nil is 404, and no content 204`() async throws {
        let missing = try await respond(.get, "/8")
        #expect(missing.status == .notFound && missing.text.contains("There is no such resource."))
        let gone = try await respond(.delete, "/8")
        #expect(gone.status == .notFound && gone.text.contains("It is gone."))
        let deleted = try await respond(.delete, "/7")
        #expect(deleted.status == .noContent && deleted.body.isEmpty)
    }

    @Test(arguments: [
        (HTTPRequest.Method.get, "/7?x=1", ""), (.delete, "/7?x", ""), (.post, "?x=1", #"{"name":"c"}"#),
        (.put, "/7?limit=1", #"{"name":"c"}"#), (.get, "?limit=0", ""), (.get, "?y=0", ""),
    ])
    func `refuses a query that is not declared`(method: HTTPRequest.Method, path: String, body: String) async throws {
        #expect(try await respond(method, path, body).status == .badRequest)
    }

    @Test func `a path that matches no resource is 404 before its body is read`() async throws {
        #expect(try await respond(.put, "/x", #"{"name":1}"#).status == .notFound)
    }

    @Test func `sends the faults of a body with their pointers`() async throws {
        let refused = try await respond(.post, "", #"{"name":"","x":1}"#)
        #expect(refused.status == .unprocessableContent)
        #expect(
            refused.text.hasSuffix(
                #""errors":[{"pointer":"/name","field":"name","message":"must not be empty"},"#
                    + #"{"pointer":"/x","field":"x","message":"is not known"}]}"#))
    }

    @Test func `lists operations in the order of their registration`() {
        #expect(
            app.operations.map(\.id) == [
                "list_things", "create_thing", "read_thing", "replace_thing", "delete_thing", "patch_thing",
            ])
        #expect(app.operations.allSatisfy { $0.tag == "things" })
        #expect(app.operations[2].pattern == "/api/things/{id}")
    }
}
