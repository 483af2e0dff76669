import HTTPTypes
import Testing

@testable import Vial

private struct Page: Equatable {
    let limit: Int
    let after: Int64?
    let text: String?
}

private let page = QueryInput { read in
    Page(
        limit: read("limit", .int(1...1000), default: 100), after: read("after", .orAbsent(.int64)),
        text: read("q", .orAbsent(.text(1...5))))
}

private struct Thing: Equatable {
    let name: String
    let note: String?
}

private let thing = BodyInput("Thing") { read in
    read.ignore("id", .int64)
    return Thing(name: read("name", .text(1...5)), note: read("note", .orNull(.text(0...9))))
}

private let nested = BodyInput("Nested") { read in
    [read("first", .object(thing)), read("~/second", .object(thing))]
}

struct QueryInputTests {
    private func read(_ query: String) throws -> Page { try page.read(try Request(.get, "/" + query)) }

    private func refusal(_ query: String) throws -> String? {
        let request = try Request(.get, "/" + query)
        let error = #expect(throws: HTTPError.self) { try page.read(request) }
        #expect(error?.status == .badRequest)
        return error?.detail
    }

    @Test(arguments: ["", "?", "?&&"]) func `an empty query has the defaults`(query: String) throws {
        #expect(try read(query) == Page(limit: 100, after: nil, text: nil))
    }

    @Test func `reads parameters in any order, decoded`() throws {
        #expect(try read("?q=a+%C3%A9&after=-7&limit=5") == Page(limit: 5, after: -7, text: "a é"))
        #expect(try read("?%6cimit=6") == Page(limit: 6, after: nil, text: nil))
    }

    @Test(arguments: [
        ("?limit=x", "Query parameter limit must be a whole number."),
        ("?limit=0", "Query parameter limit must be between 1 and 1000."),
        ("?limit=", "Query parameter limit must be a whole number."),
        ("?limit=1&limit=1", "Query parameter limit is given twice."),
        ("?after=1&%61fter=2", "Query parameter after is given twice."),
        ("?x=1", "Query parameter x is not known."),
        ("?x=1&x=2&y", "Query parameter x is not known. Query parameter y is not known."),
        ("?LIMIT=1", "Query parameter LIMIT is not known."),
        (
            "?limit=0&q=abcdef",
            "Query parameter limit must be between 1 and 1000. Query parameter q must have at most 5 characters."
        ),
        ("?a=%zz", "A percent sign is not followed by two hexadecimal digits."),
        ("?q=%00", "The request target contains an encoded null character."),
    ])
    func `refuses a query and names every fault`(query: String, detail: String) throws {
        #expect(try refusal(query) == detail)
    }
}

struct BodyInputTests {
    private func request(_ body: String) throws -> Request { try Request(.post, "/", body: body) }

    private func faults<Value>(_ input: BodyInput<Value>, _ body: String) throws -> [HTTPError.FieldError] {
        let request = try request(body)
        let error = #expect(throws: HTTPError.self) { try input.read(request) }
        #expect(error?.status == .unprocessableContent)
        return error?.errors ?? []
    }

    @Test func `reads the members of an object`() throws {
        #expect(try thing.read(request(#"{"name":"a"}"#)) == Thing(name: "a", note: nil))
        #expect(try thing.read(request(#"{"note":"b","name":"a"}"#)) == Thing(name: "a", note: "b"))
        #expect(try thing.read(request(#"{"n\u0061me":"\u0061"}"#)) == Thing(name: "a", note: nil))
    }

    @Test func `accepts and ignores the members that the service chooses`() throws {
        #expect(try thing.read(request(#"{"id":7,"name":"a"}"#)) == Thing(name: "a", note: nil))
        #expect(try thing.read(request(#"{"id":"x","name":"a"}"#)) == Thing(name: "a", note: nil))
    }

    @Test func `collects all faults of a body, the unknown members among them`() throws {
        #expect(
            try faults(thing, #"{"name":"","x":1,"note":1,"na/me":2}"#) == [
                .init(path: ["name"], message: "must not be empty"), .init(path: ["note"], message: "must be a string"),
                .init(path: ["x"], message: "is not known"), .init(path: ["na/me"], message: "is not known"),
            ])
    }

    @Test func `points at members of members`() throws {
        let faults = try faults(nested, #"{"first":{"name":1},"~/second":{}}"#)
        #expect(faults.map(\.field) == ["first.name", "~/second.name"])
        #expect(faults.map(\.pointer) == ["/first/name", "/~0~1second/name"])
        #expect(faults.map(\.message) == ["must be a string", "is required"])
    }

    @Test(arguments: ["[]", "1", "null", "\"a\""]) func `refuses what is no object`(body: String) throws {
        #expect(try faults(thing, body) == [])
    }

    @Test func `refuses what is no JSON with 400`() throws {
        let request = try request(#"{"name":"a""#)
        let error = #expect(throws: HTTPError.self) { try thing.read(request) }
        #expect(error?.status == .badRequest)
    }

    @Test func `lists a hundred faults at most`() throws {
        let members = (0..<200).map { "\"m\($0)\":0" }.joined(separator: ",")
        #expect(try faults(thing, "{\(members)}").count == 100)
    }
}
