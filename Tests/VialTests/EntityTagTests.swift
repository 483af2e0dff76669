import Formatting
import Testing

@testable import Vial

struct EntityTagTests {
    @Test(arguments: [(false, "\"a:1\""), (true, "W/\"a:1\"")])
    func `has the form of a field's value`(isWeak: Bool, field: String) {
        let tag = EntityTag("a:1", isWeak: isWeak)
        #expect(String(decoding: tag.field, as: UTF8.self) == field)
        #expect(tag.isWeak == isWeak && Array(tag.text) == Array("a:1".utf8))
    }

    @Test(arguments: ["a b", "\"", "\u{7F}", "\n"])
    func `cannot be made of other characters`(text: String) async {
        await #expect(processExitsWith: .failure) { [text] in _ = EntityTag(text) }
    }

    /// The table of RFC 9110 §8.8.3.2.
    @Test(arguments: [
        (true, "1", true, "1", false, true), (true, "1", true, "2", false, false), (true, "1", false, "1", false, true),
        (false, "1", true, "1", false, true), (false, "1", false, "1", true, true),
        (false, "1", false, "2", false, false),
    ])
    func `two are compared strongly or weakly`(
        isWeak: Bool, text: String, otherIsWeak: Bool, other: String, strongly: Bool, weakly: Bool
    ) {
        let (first, second) = (EntityTag(text, isWeak: isWeak), EntityTag(other, isWeak: otherIsWeak))
        #expect(first.matchesStrongly(second) == strongly)
        #expect(first.matchesWeakly(second) == weakly)
    }
}
