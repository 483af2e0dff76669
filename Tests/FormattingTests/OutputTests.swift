import Formatting
import Testing

struct OutputTests {
    private func areEqual(_ first: [UInt8], _ second: [UInt8]) -> Bool { first.span.equals(second.span) }

    @Test func `bytes are equal when none differs`() {
        for length in 0...40 {
            let bytes = (0..<length).map { UInt8($0) }
            #expect(areEqual(bytes, Array(bytes)))
            #expect(!areEqual(bytes, bytes + [0]))
            for position in 0..<length {
                var other = bytes
                other[position] ^= 0x80
                #expect(!areEqual(bytes, other))
            }
        }
    }

    @Test(arguments: ["", "text", "application/json", "application/jsom", "application/jso"])
    func `bytes are equal to the literal of the same text`(text: String) {
        let isEqual = Array(text.utf8).span.equals("application/json")
        #expect(isEqual == (text == "application/json"))
    }
}
