import FoundationEssentials
import Testing

@testable import Vial

/// A member's value, as a body has it; nil: absent.
private func member(_ text: String?) throws -> InputValue? {
    guard let text else { return nil }
    return try JSONSyntax.check(Array("{\"a\":\(text)}".utf8))?.input("a")
}

/// The value, or the faults as `path: message`.
private func read<R: Rule>(_ rule: R, _ text: String?) throws -> (value: R.Value?, faults: [String]) {
    let value = try member(text)
    do throws(InputFault) { return (try rule.read(value), []) } catch {
        return (
            nil, error.items.map { $0.path.isEmpty ? $0.message : "\($0.path.joined(separator: "/")): \($0.message)" }
        )
    }
}

private enum Color: String, CaseIterable { case red, green, blue }

private let part = BodyInput("Part") { read in
    (size: read("size", .int(1...9)), color: read("color", .orNull(.choice(of: Color.self))))
}

struct RuleTests {
    @Test(arguments: [
        (#""a""#, "a"), (#""é\u00e9\n\"""#, "éé\n\""), (#"" a ""#, " a "), (#""\ud83d\ude00""#, "😀"),
        ("\"12345\"", "12345"),
    ])
    func `reads a text with its escapes`(text: String, expected: String) throws {
        #expect(try read(.text(1...5), text).value == expected)
    }

    @Test(arguments: [
        (nil, "is required"), ("null", "must not be null"), ("1", "must be a string"), ("[\"a\"]", "must be a string"),
        ("\"\"", "must have at least 2 characters"), ("\"a\"", "must have at least 2 characters"),
        ("\"é\"", "must have at least 2 characters"), ("\"abcd\"", "must have at most 3 characters"),
        ("\"éééé\"", "must have at most 3 characters"), (#""a\u0000b""#, "must not contain U+0000"),
    ])
    func `refuses a text that breaks its rule`(text: String?, message: String) throws {
        #expect(try read(.text(2...3), text).faults == [message])
    }

    @Test func `counts the characters of a trimmed text without its white space`() throws {
        #expect(try read(.text(1...3, trimmed: true), "\" \\tabc\\u00a0\"").value == "abc")
        #expect(try read(.text(1...3, trimmed: true), "\" \\n\"").faults == ["must not be empty"])
        #expect(try read(.text(1...3, trimmed: true), "\" abcd \"").faults == ["must have at most 3 characters"])
    }

    @Test(arguments: [("5", 5), ("0", 0), ("-0", 0), ("-5", -5), ("100", 100), ("7.0", 7), ("1e1", 10)])
    func `reads a whole number`(
        text: String, expected: Int
    ) throws {
        #expect(try read(.int(-5...100), text).value == expected)
    }

    @Test(arguments: [
        (nil, "is required"), ("null", "must not be null"), ("\"5\"", "must be a whole number"),
        ("1.5", "must be a whole number"), ("1e-1", "must be a whole number"), ("1e400", "must be a whole number"),
        ("true", "must be a whole number"),
        ("99999999999999999999", "must be a whole number"), ("101", "must be between 1 and 100"),
        ("0", "must be between 1 and 100"),
    ])
    func `refuses what is not a whole number in its range`(text: String?, message: String) throws {
        #expect(try read(.int(1...100), text).faults == [message])
    }

    @Test func `reads a boolean, a choice and a UUID`() throws {
        #expect(try read(.bool, "true").value == true)
        #expect(try read(.bool, "false").value == false)
        #expect(try read(.bool, "\"true\"").faults == ["must be a boolean"])
        #expect(try read(.choice(of: Color.self), "\"green\"").value == .green)
        #expect(try read(.choice(of: Color.self), "\"pink\"").faults == ["must be red, green or blue"])
        #expect(try read(.choice(of: Color.self), "1").faults == ["must be red, green or blue"])
        #expect(try read(.uuid, "\"6fa459ea-ee8a-4ca4-894e-db77e160355e\"").value == UUIDRule().example)
        #expect(try read(.uuid, "\"6fa459ea\"").faults == ["must be a UUID"])
    }

    @Test func `takes an absent value for null, and tells both apart where that matters`() throws {
        #expect(try read(.orNull(.int(1...9)), nil).value == .some(nil))
        #expect(try read(.orNull(.int(1...9)), "null").value == .some(nil))
        #expect(try read(.orNull(.int(1...9)), "5").value == 5)
        #expect(try read(.orAbsent(.int(1...9)), nil).value == .some(nil))
        #expect(try read(.orAbsent(.int(1...9)), "null").faults == ["must not be null"])
        #expect(try read(.orAbsent(.orNull(.int(1...9))), "null").value == .some(.some(nil)))
        #expect(try read(.orAbsent(.orNull(.int(1...9))), nil).value == .some(nil))
    }

    @Test func `reads the elements of an array in order`() throws {
        #expect(try read(.array(of: .int(0...9), 0...4), "[1, 2 ,3]").value == [1, 2, 3])
        #expect(try read(.array(of: .int(0...9), 0...4), "[ ]").value == [])
        let texts = try read(.array(of: .text(0...9), 1...4), #"["a,]", "\"[", "}\\"]"#)
        #expect(texts.value == ["a,]", "\"[", "}\\"])
        let nested = try read(.array(of: .array(of: .int(0...9), 0...4), 1...4), "[[1,2],[],[3]]")
        #expect(nested.value == [[1, 2], [], [3]])
    }

    @Test func `names the elements and members that break a rule`() throws {
        #expect(try read(.array(of: .int(0...9), 1...2), "[]").faults == ["must have 1 to 2 elements"])
        #expect(try read(.array(of: .int(0...9), 1...2), "{}").faults == ["must be an array"])
        let faults = try read(.array(of: .object(part), 1...3), #"[{"size":1},{"size":0,"x":1},{"color":"a"}]"#).faults
        #expect(
            faults == [
                "1/size: must be between 1 and 9", "1/x: is not known", "2/size: is required",
                "2/color: must be red, green or blue",
            ])
    }

    @Test func `reads a parameter of a query as a text or a number`() throws {
        #expect(try TextRule.text(1...5).read(.parameter("a")) == "a")
        #expect(try IntegerRule.int(1...5).read(.parameter("3")) == 3)
        #expect(try BooleanRule().read(.parameter("true")) == true)
        #expect(throws: InputFault.self) { try IntegerRule.int(1...5).read(.parameter("+3")) }
        #expect(throws: InputFault.self) { try IntegerRule.int(1...5).read(.string("3")) }
    }

    /// The rules that the framework has, each with its example.
    private func expectExampleIsAccepted<R: Rule>(_ rule: R) throws {
        let text = String(decoding: rule.json(of: rule.example).bytes, as: UTF8.self)
        #expect(try read(rule, text).faults == [], "\(rule)")
    }

    @Test func `accepts its own example`() throws {
        try expectExampleIsAccepted(.text(1...5))
        try expectExampleIsAccepted(.text(0...100, trimmed: true, example: "a b"))
        try expectExampleIsAccepted(.int(7...9))
        try expectExampleIsAccepted(.int64)
        try expectExampleIsAccepted(.bool)
        try expectExampleIsAccepted(.choice(of: Color.self))
        try expectExampleIsAccepted(.uuid)
        try expectExampleIsAccepted(.orNull(.int(3...4)))
        try expectExampleIsAccepted(.orAbsent(.uuid))
        try expectExampleIsAccepted(.array(of: .text(1...5), 1...2))
        try expectExampleIsAccepted(.object(part))
    }
}
