import Testing

@testable import Vial

struct JSONMembersTests {
    private func outline(_ text: String) throws -> String? {
        try JSONSyntax.check(Array(text.utf8)).map { String(decoding: $0.outline, as: UTF8.self) }
    }

    @Test(arguments: [
        ("{}", "{}"), (#"{"a":1}"#, #"{"a":1}"#),
        (#" { "a" : "b\n" , "c":null,"d":true } "#, #"{"a":"b\n","c":null,"d":true}"#),
        (#"{"a":[1,[2],{}],"b":{"c":{"d":[]}},"e":-1.5e3}"#, #"{"a":[],"b":{},"e":-1.5e3}"#),
        (#"{"\u0061":["]"],"b":"}"}"#, #"{"\u0061":[],"b":"}"}"#),
    ])
    func `an outline has empty arrays and objects`(text: String, expected: String) throws {
        #expect(try outline(text) == expected)
    }

    @Test(
        arguments: [
            (#"{}"#, .none), (#"{"name":null}"#, .none), (#"{"names":"a","nam":"b"}"#, .none),
            (#"{"name":""}"#, .text("")), (#"{"other":1,"name":"a: é","last":"\n"}"#, .text("a: é")),
            (#"{"name":"\n"}"#, .other), (#"{"name":"a long text that ends with a \""}"#, .other),
            (#"{"name":1}"#, .other), (#"{"name":true}"#, .other), (#"{"name":["a"]}"#, .other),
            (#"{"name":{"name":"a"}}"#, .other), (#"{"name":"a","\u0062":"b"}"#, .other),
            (#"{"\u0062":{},"name":null}"#, .other), (#"{"other":{"\u0062":1},"name":"a"}"#, .text("a")),
        ] as [(String, JSONMembers.Text)])
    func `a member is text if neither it nor any name has an escape`(text: String, expected: JSONMembers.Text)
        throws
    {
        #expect(try JSONSyntax.check(Array(text.utf8))?.text("name") == expected)
    }
}
