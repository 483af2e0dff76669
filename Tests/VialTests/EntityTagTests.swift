import Formatting
import Testing

@testable import Vial

struct EntityTagTests {
    private func taken(_ text: String) -> (tag: EntityTag?, rest: String) {
        var position = 0
        let bytes = Array(text.utf8)
        let tag = EntityTag(takenFrom: bytes.span, at: &position)
        return (tag, String(decoding: bytes[position...], as: UTF8.self))
    }

    @Test(arguments: [(false, "\"a:1\""), (true, "W/\"a:1\"")])
    func `has the form of a field's value`(isWeak: Bool, field: String) {
        let tag = EntityTag("a:1", isWeak: isWeak)
        #expect(String(decoding: tag.field, as: UTF8.self) == field)
        #expect(tag.isWeak == isWeak && Array(tag.text) == Array("a:1".utf8))
    }

    @Test(arguments: ["", "a", "W/", "2024-11-01T12:00:00.000000Z", "é", "!#[]^`{|}~"])
    func `is read as it is written, strong or weak, and takes no more than its own bytes`(text: String) {
        for isWeak in [false, true] {
            let tag = EntityTag(text, isWeak: isWeak)
            for rest in ["", ", \"b\"", "x", "\""] {
                let (read, left) = taken(String(decoding: tag.field, as: UTF8.self) + rest)
                #expect(read == tag && left == rest)
            }
        }
    }

    @Test(arguments: [
        "", "a", "\"", "\"a", "a\"", "W", "W/", "W/\"", "w/\"a\"", "W\"a\"", "W/a", "\"a b\"", "\"\t\"", "\"\u{7F}\"",
        "'a'",
    ])
    func `is not read from a text of another form, of which nothing is taken`(text: String) {
        let (tag, rest) = taken(text)
        #expect(tag == nil && rest == text)
    }

    @Test(arguments: ["a b", "\"", "\u{7F}", "\n"])
    func `cannot be made of other characters`(text: String) async {
        await #expect(processExitsWith: .failure) { [text] in _ = EntityTag(text) }
    }

    @Test func `a compressed representation's tag is read as that of its state`() {
        #expect(taken("\"a-gzip\"").tag == EntityTag("a"))
        #expect(taken("W/\"a-gzip\"").tag == EntityTag("a", isWeak: true))
        for text in ["-gzip", "agzip", "a-gzi", "a-gzip-"] { #expect(taken("\"\(text)\"").tag == EntityTag(text)) }
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
