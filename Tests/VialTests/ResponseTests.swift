import Formatting
import HTTP1
import HTTPTypes
import Testing

@testable import Vial

struct ResponseTests {
    @Test func `keeps its fields in order`() throws {
        let response = try text("x").location("/items/1".utf8.span).field("ETag", "\"1\"")
        #expect(String(decoding: response.fields.bytes, as: UTF8.self) == "Location: /items/1\r\nETag: \"1\"\r\n")
        #expect(response.text == "x")
    }

    @Test func `takes no field that would split it`() {
        #expect(throws: FieldError.invalidValue) { try text("").location("/\r\nX: y".utf8.span) }
        #expect(throws: FieldError.invalidName) { try text("").field("a b", "") }
        #expect(throws: FieldError.reservedName) { try text("").field("Content-Length", "1") }
    }

    @Test func `writes JSON`() {
        let response = Response.json(status: .created) { json in
            json.beginArray()
            json.value(1)
            json.endArray()
        }
        #expect(response.status == .created && response.text == "[1]" && response.type == "application/json")
    }

    @Test func `no content has no type either`() {
        let response = Response.noContent
        #expect(response.status == .noContent && response.contentType == nil && response.body.isEmpty)
    }
}
