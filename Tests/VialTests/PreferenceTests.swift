import HTTP1
import HTTPTypes
import Testing

@testable import Vial

struct PreferenceTests {
    private func isMinimal(_ lines: [String]) throws -> Bool {
        try Request(.put, "/", fields: lines.map { ("Prefer", $0) }).prefersMinimal
    }

    @Test(arguments: [
        ["return=minimal"], ["Return = minimal"], ["RETURN=\"minimal\""], ["wait=10, return=minimal"],
        ["respond-async", "return=minimal"], ["return=minimal; x=y"], ["return=minimal, return=representation"],
        ["handling=\"a, return=representation\", return=minimal"], ["a=\"\\\"\", return=minimal"],
    ])
    func `a client may prefer an answer without content`(lines: [String]) throws {
        #expect(try isMinimal(lines))
    }

    @Test(arguments: [
        [], [""], ["return"], ["return="], ["return=representation"], ["return=representation, return=minimal"],
        ["return=MINIMAL"], ["return=minimal2"], ["x=return=minimal"], ["handling=\"a, return=minimal\""],
        ["wait=10; return=minimal"], ["returns=minimal"], [";return=minimal"],
    ])
    func `any other value is no such preference`(lines: [String]) throws {
        #expect(try !isMinimal(lines))
    }
}
