import HTTP1
import HTTPTypes
import Testing
import Vial

@testable import Items

struct NewItemsTests {
    private func items(_ body: String) throws -> NewItems {
        try NewItems(try Request(.post, "/api/items/batch", fields: [("Content-Type", "application/json")], body: body))
    }

    private func faults(_ body: String) throws -> [String] {
        let error = #expect(throws: HTTPError.self) { try items(body) }
        #expect(error?.status == .unprocessableContent)
        return error?.errors.map { "\($0.pointer) \($0.message)" } ?? []
    }

    @Test func `are the items in their order, trimmed`() throws {
        let items = try items(
            #"{"items":[{"name":" a "},{"name":"b","description":"c"},{"description":null,"name":"d\n\u0065"}]}"#)
        #expect(items.names == ["a", "b", "d\ne"])
        #expect(items.descriptions == [nil, "c", nil])
        #expect(items.count == 3)
    }

    @Test func `are found under a name with escapes`() throws {
        #expect(try items(#"{"\u0069tems":[{"n\u0061me":"a"}]}"#).names == ["a"])
    }

    @Test func `are at most a thousand`() throws {
        let many = { (count: Int) in
            #"{"items":["# + Array(repeating: #"{"name":"a"}"#, count: count).joined(separator: ",") + "]}"
        }
        #expect(try items(many(1_000)).count == 1_000)
        #expect(try faults(many(1_001)) == ["/items must have 1 to 1000 elements"])
        #expect(try faults(many(0)) == ["/items must have 1 to 1000 elements"])
    }

    @Test func `are refused with the faults of all of them`() throws {
        #expect(
            try faults(#"{"items":[{"name":"a"},{"name":""},7,{"name":1},{"description":"a"}]}"#) == [
                "/items/1/name must not be empty", "/items/2 must be an object of name and description",
                "/items/3/name must be a string", "/items/4/name is required",
            ])
    }

    @Test func `list no more than a hundred faults`() throws {
        let body = #"{"items":["# + Array(repeating: "{}", count: 200).joined(separator: ",") + "]}"
        let error = #expect(throws: HTTPError.self) { try items(body) }
        #expect(error?.errors.count == 100)
        #expect(error?.detail == "The items break more rules than the first 100, which are listed.")
    }

    @Test(arguments: [
        ("{}", "/items is required"), (#"{"items":7}"#, "/items must be an array"),
        (#"{"items":null}"#, "/items must be an array"), (#"{"items":[],"a/b":1}"#, "/a~1b is not known"),
    ])
    func `are refused without an array of them alone`(body: String, fault: String) throws {
        #expect(try faults(body) == [fault])
    }

    @Test(arguments: ["[]", "7", "null"])
    func `are in an object`(body: String) throws {
        #expect(try faults(body) == [])
    }
}
