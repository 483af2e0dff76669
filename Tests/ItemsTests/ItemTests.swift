import HTTP1
import HTTPTypes
import Testing
import Vial

@testable import Items

struct ItemTests {
    private func broken(name: String?, description: String?) -> [HTTPError.FieldError] {
        do throws(HTTPError) {
            _ = try NewItem(name: name, description: description).validated()
            return []
        } catch {
            #expect(error.status == .unprocessableContent)
            return error.errors
        }
    }

    @Test func `trims the name and keeps the description unchanged`() throws {
        let valid = try NewItem(name: " \t\u{A0}Item\u{2003}1\r\n ", description: " text ").validated()
        #expect(valid.name == "Item\u{2003}1")
        #expect(valid.description == " text ")
        #expect(try NewItem(name: "x", description: nil).validated().description == nil)
        #expect(try NewItem(name: "x", description: "").validated().description == "")
    }

    @Test(arguments: [" ", "\t", "\n", "\u{A0}", "\u{3000}"])
    func `trims white space at either end of a name`(space: String) throws {
        #expect(try NewItem(name: "a\(space)", description: nil).validated().name == "a")
        #expect(try NewItem(name: "\(space)a", description: nil).validated().name == "a")
    }

    @Test func `counts a name in characters as the database does, after trimming`() {
        for character in ["x", "ä", "😀", "e\u{301}"] {
            let length = character.unicodeScalars.count
            #expect(broken(name: String(repeating: character, count: 255 / length), description: nil) == [])
            #expect(
                broken(name: String(repeating: character, count: 255 / length + 1), description: nil) == [
                    .init(field: "name", message: "must have at most 255 characters")
                ])
        }
        #expect(broken(name: " " + String(repeating: "x", count: 255) + " ", description: nil) == [])
    }

    @Test(arguments: ["", " ", "\t\r\n", "\u{3000}"]) func `a name must not be empty`(name: String) {
        #expect(broken(name: name, description: nil) == [.init(field: "name", message: "must not be empty")])
    }

    @Test func `a description has a limit`() {
        #expect(broken(name: "x", description: String(repeating: "ä", count: 10_000)) == [])
        #expect(
            broken(name: "x", description: String(repeating: "ä", count: 10_001)) == [
                .init(field: "description", message: "must have at most 10000 characters")
            ])
    }

    @Test func `U+0000 is rejected, and all broken rules are named together`() {
        #expect(
            broken(name: "a\u{0}b", description: "\u{0}") == [
                .init(field: "name", message: "must not contain U+0000"),
                .init(field: "description", message: "must not contain U+0000"),
            ])
        #expect(
            broken(name: nil, description: String(repeating: "x", count: 10_001)).map(\.field)
                == ["name", "description"])
    }

    @Test func `a missing or null name is required, and a wrong type is named`() throws {
        for body in ["{}", #"{"name":null,"description":null}"#] {
            let item = try Request(.post, "/", body: body).json(NewItem.self)
            let errors = broken(name: item.name, description: item.description)
            #expect(errors == [.init(field: "name", message: "is required")])
        }
        let request = try Request(.post, "/", body: #"{"name":5}"#)
        let error = #expect(throws: HTTPError.self) { try request.json(NewItem.self) }
        #expect(error?.errors == [.init(field: "name", message: "must be a string")])
    }
}
