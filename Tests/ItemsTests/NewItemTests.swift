import HTTP1
import HTTPTypes
import Testing
import Vial

@testable import Items

/// Decoding `NewItem` without `JSONDecoder` gives the same results as with it.
struct NewItemTests {
    /// The same members, decoded by `JSONDecoder` only.
    private struct Decoded: Decodable {
        let name: String?
        let description: String?
    }

    private func outcome(_ read: () throws -> (String?, String?)) -> String {
        do {
            let (name, description) = try read()
            let scalars = { (text: String?) in text.map { $0.unicodeScalars.map(\.value).description } ?? "nil" }
            return "\(scalars(name)) \(scalars(description))"
        } catch let error as HTTPError {
            return "\(error.status) \(error.detail) \(error.errors)"
        } catch {
            return "another error: \(error)"
        }
    }

    private func isSame(_ body: String) throws -> Bool {
        let request = try Request(.post, "/", body: body)
        let read = outcome {
            let item = try request.json(NewItem.self)
            return (item.name, item.description)
        }
        let decoded = outcome {
            let item = try request.json(Decoded.self)
            return (item.name, item.description)
        }
        if read == decoded { return true }
        Issue.record("\(body): \(read), not \(decoded)")
        return false
    }

    private static let values = [
        "null", "true", "1", "-0.5e3", "1e999", "[]", "[1,[2]]", "{}", #"{"name":"inner"}"#, #""""#, #""a""#,
        #"" a b ""#,
        "\"ä😀e\u{301}日本語\"", #""\u0041""#, #""\ud83d\ude00""#, #""\n""#, #""\"""#, #""a\\""#, #""\u0000""#,
        "\"\u{7F}\u{2028}\u{FEFF}\u{FFFF}\"", "\"" + String(repeating: "x", count: 300) + "\"",
    ]
    private static let names = [
        "name", "description", "Name", "nam", "names", #"\u006eame"#, #"n\u0061me"#, "", "näme", "name\u{301}",
        #"a\"b"#, "x",
    ]

    @Test func `each value in each member equals the decoder's result`() throws {
        for name in Self.names {
            for value in Self.values {
                for body in [
                    "{\"\(name)\":\(value)}", " { \"name\" : \"a\" , \"\(name)\" : \(value) } ",
                    "{\"\(name)\":\(value),\"description\":\"b\"}", "[{\"\(name)\":\(value)}]", value,
                ] where try !isSame(body) { return }
            }
        }
    }

    @Test func `objects with any members equal the decoder's result`() throws {
        var generator = SystemRandomNumberGenerator()
        for _ in 0..<2000 {
            let members = (0..<Int.random(in: 0...6, using: &generator)).map { _ in
                let space = ["", " ", "\t\r\n"].randomElement(using: &generator) ?? ""
                let name = Self.names.randomElement(using: &generator) ?? ""
                let value = Self.values.randomElement(using: &generator) ?? ""
                return "\(space)\"\(name)\"\(space):\(space)\(value)\(space)"
            }
            var body = Array("{\(members.joined(separator: ","))}".utf8)
            // In some, one byte is changed or removed.
            if Int.random(in: 0..<4, using: &generator) == 0 {
                let index = Int.random(in: 0..<body.count, using: &generator)
                let byte = Array("{}[]\",:\\0x".utf8).randomElement(using: &generator)
                if let byte, Bool.random(using: &generator) { body[index] = byte } else { body.remove(at: index) }
            }
            guard let text = String(validating: body, as: UTF8.self) else { continue }
            if try !isSame(text) { return }
        }
    }

    @Test(arguments: [
        ("abc", "abc"), (" abc ", "abc"), ("\t\r\nabc\r\n", "abc"), ("a b", "a b"), ("ä", "ä"), ("日", "日"),
        // White space is a property of scalars, whatever combines with them.
        (" \u{301}abc", "\u{301}abc"), ("\u{301}abc", "\u{301}abc"), ("abc \u{301}", "abc \u{301}"),
        ("\u{200D}abc \u{200D} ", "\u{200D}abc \u{200D}"), ("\u{20}\u{FE0F}", "\u{FE0F}"),
        ("\u{85}\u{A0}\u{1680}\u{2000}\u{200A}\u{2028}\u{2029}\u{202F}\u{205F}\u{3000}abc\u{3000}\u{85}", "abc"),
        // Without that property: an ASCII separator, a zero width space, a byte order mark.
        ("\u{1C}abc\u{1F}", "\u{1C}abc\u{1F}"), ("\u{200B}abc\u{FEFF}", "\u{200B}abc\u{FEFF}"),
        ("abc\u{7F}", "abc\u{7F}"),
    ])
    func `a name loses only its surrounding white space`(given: String, kept: String) throws {
        let name = try NewItem(name: given, description: nil).validated().name
        #expect(Array(name.unicodeScalars) == Array(kept.unicodeScalars))
    }

    @Test(arguments: ["", " ", "\t", "\u{85}", "\u{A0}\u{2029}", "\r\n", "\u{3000}\r\n"])
    func `a name of white space only is empty`(name: String) {
        let error = #expect(throws: HTTPError.self) { try NewItem(name: name, description: nil).validated() }
        #expect(error?.errors == [.init(field: "name", message: "must not be empty")])
    }

    /// Characters as `varchar(255)` counts them: scalars, of which a family emoji has several.
    @Test(arguments: ["a", "ä", "e\u{301}", "😀", "👩‍👩‍👧", "\r\n"])
    func `the length of a text is its number of scalars`(character: String) throws {
        for (limit, isName) in [(NewItem.nameLimit, true), (NewItem.descriptionLimit, false)] {
            let scalars = ("x" + String(repeating: character, count: limit)).unicodeScalars
            let text = String(String.UnicodeScalarView(scalars.prefix(limit - 1))) + "x"
            #expect(text.unicodeScalars.count == limit)
            let item = { isName ? NewItem(name: $0, description: nil) : NewItem(name: "n", description: $0) }
            #expect(throws: Never.self) { try item(text).validated() }
            let error = #expect(throws: HTTPError.self) { try item(text + "x").validated() }
            #expect(
                error?.errors == [
                    .init(field: isName ? "name" : "description", message: "must have at most \(limit) characters")
                ])
        }
    }

    /// Fails when the decoder is used.
    private struct Plain: JSONObjectDecodable {
        init?(_ members: JSONMembers) {
            for name: StaticString in ["name", "description"] where members.text(name) == .other { return nil }
        }

        init(from decoder: any Decoder) throws {
            throw HTTPError(.internalServerError, "The decoder was asked.")
        }
    }

    @Test(arguments: [#"{"name":"a","description":null}"#, #"{"description":"é","name":"a","x":{"y":[1]}}"#, "{}"])
    func `usual bodies need no decoder`(body: String) throws {
        let request = try Request(.post, "/", body: body)
        #expect(throws: Never.self) { try request.json(Plain.self) }
    }
}
