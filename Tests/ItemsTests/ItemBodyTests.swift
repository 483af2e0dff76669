import HTTP1
import HTTPTypes
import Testing
import Vial

@testable import Items

struct OtherMembersTests {
    private func errors(_ body: String, id: Int64? = 7) throws -> [HTTPError.FieldError] {
        let item = try Request(.put, "/", body: body).json(NewItem.self)
        do throws(HTTPError) {
            _ = try item.validated(for: id)
            return []
        } catch {
            return error.errors
        }
    }

    @Test(arguments: [
        #"{"name":"a","id":7}"#, #"{"name":"a","created_at":1,"updated_at":[]}"#, #"{"n\u0061me":"a","\u0069d":7}"#,
        #"{"name":"\n a","created_at":null}"#,
    ])
    func `members that the service sets are ignored`(body: String) throws {
        #expect(try errors(body) == [])
    }

    @Test(arguments: ["8", "-7", "\"7\"", "null", "7.5", "[7]", "true", "1e999"])
    func `an id must be that of the path, and a new item's is ignored`(id: String) throws {
        for name in ["id", #"\u0069d"#] {
            let body = "{\"name\":\"a\",\"\(name)\":\(id)}"
            #expect(try errors(body) == [.init(field: "id", message: "must be 7, as in the path")])
            #expect(try errors(body, id: nil) == [])
        }
    }

    @Test(arguments: ["7", "7.0", "0.7e1"]) func `an id may have any spelling of its number`(id: String) throws {
        #expect(try errors("{\"name\":\"a\",\"id\":\(id)}") == [])
    }

    @Test(arguments: ["colour", "Name", "nam", "names", "", "i", "ID", "name ", "é"])
    func `an unknown member is named, among the other faults`(name: String) throws {
        for item in ["\"name\":\"\"", #""n\u0061me":"""#] {
            #expect(
                try errors("{\(item),\"\(name)\":1}") == [
                    .init(field: "name", message: "must not be empty"), .init(field: name, message: "is not known"),
                ])
        }
    }

    @Test func `few unknown members are named, and little of each name`() throws {
        let long = String(repeating: "é", count: 65)
        #expect(
            try errors("{\"name\":\"a\",\"\(long)\":1}").map(\.field) == [
                String(repeating: "é", count: OtherMembers.nameLimit) + "…"
            ])
        let many = (0..<100).map { "\"m\($0)\":0" }.joined(separator: ",")
        #expect(try errors("{\"name\":\"a\",\(many)}").count == OtherMembers.namedLimit)
    }
}

struct ItemPatchTests {
    private func patch(_ body: String) throws -> ItemPatch { try Request(.patch, "/", body: body).json(ItemPatch.self) }

    private func described(_ change: ItemChange) -> String {
        let description =
            switch change.description {
            case .keep: "keep"
            case .set(let text): text.map { "set \($0)" } ?? "set nothing"
            }
        return "\(change.name ?? "keep"), \(description)"
    }

    @Test(arguments: [
        ("{}", "keep, keep"), (#"{"name":" a "}"#, "a, keep"), (#"{"description":null}"#, "keep, set nothing"),
        (#"{"description":" b "}"#, "keep, set  b "), (#"{"name":"a","description":""}"#, "a, set "),
        (#"{"n\u0061me":"a"}"#, "a, keep"), (#"{"\u0064escription":null}"#, "keep, set nothing"),
        (#"{"name":"\u0061","description":"\n"}"#, "a, set \n"), (#"{"id":7}"#, "keep, keep"),
    ])
    func `changes the members that it has`(body: String, expected: String) throws {
        #expect(described(try patch(body).validated(for: 7)) == expected)
    }

    @Test(arguments: [
        (#"{"name":null}"#, "name", "must not be null"), (#"{"n\u0061me":null}"#, "name", "must not be null"),
        (#"{"name":" "}"#, "name", "must not be empty"),
        (#"{"description":"\u0000"}"#, "description", "must not contain U+0000"),
        (#"{"id":8}"#, "id", "must be 7, as in the path"), (#"{"colour":1}"#, "colour", "is not known"),
    ])
    func `breaks the same rules as a new item`(body: String, field: String, message: String) throws {
        let patch = try patch(body)
        let error = #expect(throws: HTTPError.self) { try patch.validated(for: 7) }
        #expect(error?.status == .unprocessableContent && error?.errors == [.init(field: field, message: message)])
    }

    @Test(arguments: [
        (#"{"name":1}"#, "name"), (#"{"description":[]}"#, "description"),
        (#"{"name":"a","description":{"a":"\n"}}"#, "description"),
    ])
    func `a value of another type is named`(body: String, field: String) {
        let error = #expect(throws: HTTPError.self) { try patch(body) }
        #expect(
            error?.status == .unprocessableContent
                && error?.errors == [.init(field: field, message: "must be a string")])
    }

    @Test(arguments: ["[]", "null", "1", "\"a\"", "true"]) func `must be an object`(body: String) {
        let error = #expect(throws: HTTPError.self) { try patch(body) }
        #expect(error?.status == .unprocessableContent)
    }
}
