import FoundationEssentials
import HTTPTypes
import Testing

@testable import Vial

struct JSONFaultTests {
    private struct Item: Decodable {
        struct Part: Decodable { let size: Int }
        let name: String
        let count: Int?
        let isNew: Bool?
        let weight: Double?
        let parts: [Part]?
        let labels: [String: String]?
        let due: Date?
    }

    private func fault(_ body: String) throws -> HTTPError? {
        let request = try Request(.post, "/", body: body)
        do {
            _ = try request.json(Item.self)
            return nil
        } catch let error as HTTPError {
            return error
        }
    }

    @Test func `decodes a body`() throws {
        let request = try Request(
            .post, "/", body: #"{"name":"n","count":2,"parts":[{"size":1}],"other":null,"due":"2024-11-01T12:00:00Z"}"#)
        let item = try request.json(Item.self)
        #expect(item.name == "n" && item.count == 2 && item.parts?.first?.size == 1)
        #expect(item.due == Date(timeIntervalSince1970: 1_730_462_400))
    }

    @Test(arguments: [
        ("", "it is empty"), ("{\"name\":}", "unexpected character at line 1, column 9"),
        ("{\"name\":\"a\",}", "unexpected character at line 1, column 13"),
        ("{\"name\":\"a\"", "it ends too early at line 1, column 12"),
    ])
    func `reports where a body stops being JSON`(body: String, position: String) throws {
        let error = try #require(try fault(body))
        #expect(error.status == .badRequest)
        #expect(error.detail == "The body is not JSON: \(position).")
        #expect(error.errors.isEmpty)
    }

    @Test(arguments: [
        ("{}", "name", "is required"),
        (#"{"name":null}"#, "name", "must not be null"),
        (#"{"name":1}"#, "name", "must be a string"),
        (#"{"name":"n","count":"1"}"#, "count", "must be a whole number"),
        (#"{"name":"n","isNew":1}"#, "isNew", "must be a boolean"),
        (#"{"name":"n","weight":"1"}"#, "weight", "must be a number"),
        (#"{"name":"n","labels":[]}"#, "labels", "must be an object"),
        (#"{"name":"n","parts":{}}"#, "parts", "must be an array"),
        (#"{"name":"n","parts":[{"size":1},{}]}"#, "parts.1.size", "is required"),
        (#"{"name":"n","parts":[{"size":true}]}"#, "parts.0.size", "must be a whole number"),
        (#"{"name":"n","parts":[null]}"#, "parts.0", "must not be null"),
        (#"{"name":"n","parts":["x"]}"#, "parts.0", "must be an object"),
        (#"{"name":"n","labels":{"a":1}}"#, "labels.a", "must be a string"),
        (#"{"name":"n","due":"tomorrow"}"#, "due", "is not valid"),
        (#"{"name":"n","due":"2024-11-01T12:00:00Zjunk"}"#, "due", "is not valid"),
        (#"{"name":"n","due":"2024-11-01T12:00:00Z1234"}"#, "due", "is not valid"),
        (#"{"name":"n","due":"2024-11-01T12:00:00+01:00 "}"#, "due", "is not valid"),
        (#"{"name":"n","due":1730462400}"#, "due", "must be a string"),
    ])
    func `names the field with the wrong type`(body: String, field: String, message: String) throws {
        let error = try #require(try fault(body))
        #expect(error.status == .unprocessableContent)
        #expect(error.detail == "The body breaks a rule.")
        #expect(error.errors == [.init(path: field.split(separator: ".").map(String.init), message: message)])
    }

    // The decoder does not report which field it was.
    @Test(arguments: [#"{"name":"n","count":1.5}"#, #"{"name":"n","count":99999999999999999999}"#])
    func `refuses a number outside its field's range`(body: String) throws {
        let error = try #require(try fault(body))
        #expect(error.status == .unprocessableContent)
        #expect(error.detail == "A number in the body is out of range or not a whole number.")
    }

    @Test(arguments: [
        ("[]", "The body must be an object."), ("1", "The body must be an object."),
        ("\"x\"", "The body must be an object."),
        ("null", "The body must not be null."),
    ])
    func `reports a body of the wrong type`(body: String, detail: String) throws {
        let error = try #require(try fault(body))
        #expect(error.status == .unprocessableContent)
        #expect(error.detail == detail)
    }

    @Test func `reports every faulty body as an HTTPError`() throws {
        var generator = SystemRandomNumberGenerator()
        let whole = Array(#"{"name":"n\u00e4","count":2,"parts":[{"size":1}],"labels":{"a":"b"}}"#.utf8)
        for end in 0..<whole.count {
            let request = Request()
            request.body = Array(whole[..<end])
            #expect(throws: HTTPError.self) { try request.json(Item.self) }
        }
        for _ in 0..<2000 {
            let request = Request()
            request.body = whole
            let index = Int.random(in: 0..<whole.count, using: &generator)
            request.body[index] = UInt8.random(in: 0...255, using: &generator)
            do { _ = try request.json(Item.self) } catch { #expect(error is HTTPError, "\(request.body)") }
        }
        let deep = Request()
        deep.body = Array(String(repeating: "[", count: 100_000).utf8)
        let error = #expect(throws: HTTPError.self) { try deep.json(Item.self) }
        #expect(error?.status == .badRequest)
    }
}
