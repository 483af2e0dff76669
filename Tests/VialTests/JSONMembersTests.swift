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
    func `an outline has the members without what is in their arrays and objects`(text: String, expected: String) throws
    {
        #expect(try outline(text) == expected)
    }
}
