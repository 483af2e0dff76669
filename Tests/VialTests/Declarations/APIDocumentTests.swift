import Testing

@testable import Vial

private struct Part: Encodable, Representation {
    static let schema = Schema.object("Part", [.required("size", .int(1...9))])
    let size: Int
}

private struct Thing: Encodable, Representation {
    static let schema = Schema.object(
        "Thing", [.readOnly("id", .int64)] + input.properties + [.list("parts", of: Part.self)])
    static let input = BodyInput("NewThing") { read in
        Thing(
            id: 1, name: read("name", .text(1...5, example: "a")), note: read("note", .orNull(.text(0...9))), parts: [])
    }
    let id: Int64
    let name: String
    let note: String?
    let parts: [Part]
}

private let query = QueryInput { read in
    (read("limit", .int(1...9), default: 3), read("after", .orAbsent(.uuid)), read("kind", .text(1...3)))
}

extension JSONValue {
    /// The text of the value at a path of names, and positions in arrays.
    fileprivate subscript(path: String...) -> String? { at(path) }

    fileprivate func at(_ path: [String]) -> String? {
        var value: JSONValue? = self
        for name in path {
            switch value {
            case .object(let members)?: value = members.first { $0.name == name }?.value
            case .array(let elements)?: value = Int(name).flatMap { elements.indices.contains($0) ? elements[$0] : nil }
            default: value = nil
            }
        }
        return value.map { String(decoding: $0.bytes, as: UTF8.self) }
    }
}

struct APIDocumentTests {
    private func document(basePath: String = "", _ add: (inout App) -> Void) -> JSONValue {
        var app = App(basePath: basePath)
        add(&app)
        return APIDocument(title: "things", version: "1.2.3", summary: "Serves things.", of: app).json
    }

    private func things(_ app: inout App) {
        app.get("/api/things", "list_things", "Lists things", query: query, traits: [.pages]) { (_, _) in
            Thing(id: 1, name: "a", note: nil, parts: [])
        }
        app.post(
            "/api/things", "create_thing", "Makes a thing", body: Thing.input, answer: .created(at: \.id),
            traits: [.idempotencyKey, .authenticated]
        ) { (_, thing) in thing }
        app.get("/api/things/{key}", "read_thing", "Reads a thing", traits: [.conditional]) { (_, key: Int64) in
            key == 1 ? Thing(id: 1, name: "a", note: nil, parts: []) : nil
        }
        app.delete("/api/things/{key}", "delete_thing", "Removes a thing") {
            (_, _: Int64) in NoContent()
        }
    }

    @Test func `names the service, its version and its address`() {
        let document = document(basePath: "/base", things)
        #expect(document["openapi"] == "\"3.1.1\"")
        #expect(document["info"] == #"{"title":"things","version":"1.2.3","description":"Serves things."}"#)
        #expect(document["servers"] == #"[{"url":"/base"}]"#)
        #expect(self.document(things)["servers"] == #"[{"url":"/"}]"#)
        #expect(document["tags"] == #"[{"name":"things"}]"#)
    }

    @Test func `lists the methods of a path together`() {
        let document = document(things)
        guard case .object(let members) = document, let paths = members.first(where: { $0.name == "paths" })?.value,
            case .object(let patterns) = paths
        else { return #expect(Bool(false), "there are no paths") }
        #expect(patterns.map(\.name) == ["/api/things", "/api/things/{key}"])
        #expect(document["paths", "/api/things", "post", "operationId"] == "\"create_thing\"")
        #expect(document["paths", "/api/things/{key}", "delete", "summary"] == "\"Removes a thing\"")
    }

    @Test func `describes parameters with their rules and defaults`() {
        let document = document(things)
        let list = ["paths", "/api/things", "get", "parameters"]
        func parameter(_ index: Int) -> String? { document.at(list + [String(index)]) }
        #expect(
            parameter(0)
                == #"{"name":"limit","in":"query","schema":{"type":"integer","minimum":1,"maximum":9,"default":3},"example":1}"#
        )
        #expect(
            parameter(1)?.hasPrefix(#"{"name":"after","in":"query","schema":{"type":"string","format":"uuid"}"#) == true
        )
        #expect(parameter(2)?.hasPrefix(#"{"name":"kind","in":"query","required":true,"#) == true)
        #expect(
            document["paths", "/api/things/{key}", "get", "parameters", "0"]
                == #"{"name":"key","in":"path","required":true,"schema":{"type":"integer","format":"int64"},"example":1}"#
        )
    }

    @Test func `describes a body by a closed schema, without what may be absent among the required`() {
        let document = document(things)
        #expect(
            document["paths", "/api/things", "post", "requestBody", "content", "application/json", "schema"]
                == ##"{"$ref":"#/components/schemas/NewThing"}"##)
        let schema = ["components", "schemas", "NewThing"]
        #expect(document.at(schema + ["required"]) == #"["name"]"#)
        #expect(document.at(schema + ["additionalProperties"]) == "false")
        #expect(
            document["paths", "/api/things", "post", "requestBody", "content", "application/json", "example"]
                == #"{"name":"a","note":"text"}"#)
    }

    @Test func `lists every schema once, with those it refers to`() {
        let document = document(things)
        #expect(document["components", "schemas", "Thing", "properties", "id", "readOnly"] == "true")
        #expect(
            document["components", "schemas", "Thing", "properties", "parts", "items"]
                == ##"{"$ref":"#/components/schemas/Part"}"##)
        #expect(document["components", "schemas", "Part", "type"] == "\"object\"")
        #expect(document["components", "schemas", "Problem", "type"] == "\"object\"")
    }

    @Test func `names the types of problems, below the prefix`() throws {
        let document = document(basePath: "/x", things)
        let type = ["components", "schemas", "Problem", "properties", "type", "description"]
        let text = try #require(document.at(type))
        for problem in Problem.all { #expect(text.contains("/x/problems/\(problem.name)")) }
        let example = ["components", "responses", "Problem", "content", "application/problem+json", "example", "type"]
        #expect(document.at(example) == #""/x/problems/validation""#)
    }

    @Test func `has an answer for success, the refusals that are known, and every other one`() {
        let document = document(things)
        let problem = ##"{"$ref":"#/components/responses/Problem"}"##
        let create = ["paths", "/api/things", "post", "responses"]
        for status in ["400", "401", "403", "415", "422", "default"] {
            #expect(document.at(create + [status]) == problem, "\(status)")
        }
        #expect(document.at(create + ["201", "headers", "Location"]) != nil)
        #expect(document.at(create + ["201", "headers", "Idempotent-Replayed"]) != nil)
        #expect(document["paths", "/api/things/{key}", "get", "responses", "404"] == problem)
        #expect(document["paths", "/api/things/{key}", "get", "responses", "304"] == #"{"description":"Not Modified"}"#)
        #expect(document["paths", "/api/things/{key}", "delete", "responses", "204", "content"] == nil)
        #expect(document["paths", "/api/things", "get", "responses", "200", "headers", "Link"] != nil)
    }

    @Test func `asks for a bearer token where it is needed`() {
        let document = document(things)
        #expect(document["paths", "/api/things", "post", "security"] == #"[{"bearer":[]}]"#)
        #expect(document["paths", "/api/things", "get", "security"] == nil)
        #expect(document["components", "securitySchemes", "bearer", "scheme"] == "\"bearer\"")
    }

    @Test func `an app without declarations has an empty document`() {
        let document = document { app in app.get("/x") { _ in .noContent } }
        #expect(document["paths"] == "{}")
    }
}
