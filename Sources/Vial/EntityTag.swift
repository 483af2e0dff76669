import Formatting

/// An entity tag (RFC 9110 §8.8.3): it names one state of a representation, and the next state has another one. A
/// strong tag changes with every byte of the representation; a weak one may stay for equivalent representations.
public struct EntityTag: Hashable, Sendable {
    /// The tag as a field has it: `"…"` or `W/"…"`.
    public let field: [UInt8]

    /// - Parameters:
    ///   - byteLimit: upper bound for the bytes that `write` appends.
    ///   - write: appends the text between the quotes: visible characters except the quote. Debug builds check them.
    @inline(__always)
    public init(isWeak: Bool = false, upTo byteLimit: Int, _ write: (inout OutputSpan<UInt8>) -> Void) {
        var field: [UInt8] = []
        field.append(addingCapacity: byteLimit + 4) { output in
            if isWeak { output.append(literal: "W/") }
            output.append(0x22)
            write(&output)
            output.append(0x22)
        }
        self.field = field
        assert(text.allSatisfy(Self.isCharacter), "an entity tag has a character that would end it")
    }

    /// A tag of this text, which has visible characters and no quote; traps for others.
    public init(_ text: String, isWeak: Bool = false) {
        precondition(text.utf8.allSatisfy(Self.isCharacter), "an entity tag has a character that would end it")
        self.init(isWeak: isWeak, upTo: text.utf8.count) { output in
            for byte in text.utf8 { output.append(byte) }
        }
    }

    /// The tag of a list's element.
    init(_ element: EntityTagList.Element, in list: Span<UInt8>) {
        let text = list.extracting(element.text)
        self.init(isWeak: element.isWeak, upTo: text.count) { $0.append(span: text) }
    }

    /// Whether the representation may differ although the tag is the same.
    public var isWeak: Bool { field[0] == UInt8(ascii: "W") }

    /// The text between the quotes.
    public var text: ArraySlice<UInt8> { field[textRange] }

    var textRange: Range<Int> { (isWeak ? 3 : 1)..<field.count - 1 }

    /// Whether both are strong and equal (RFC 9110 §8.8.3.2), as `If-Match` requires.
    public func matchesStrongly(_ other: EntityTag) -> Bool { !isWeak && field == other.field }

    /// Whether both have the same text, strong or weak (RFC 9110 §8.8.3.2), as `If-None-Match` requires.
    public func matchesWeakly(_ other: EntityTag) -> Bool { text == other.text }

    /// etagc: visible ASCII except the quote, and bytes from 0x80 on.
    static func isCharacter(_ byte: UInt8) -> Bool { byte > 0x20 && byte != 0x22 && byte != 0x7F }
}

/// A value whose JSON is a representation with a strong entity tag.
public protocol Tagged: JSONRepresentable {
    /// Its entity tag: equal for two values exactly when their JSON is equal.
    var entityTag: EntityTag { get }

    /// Where the JSON that it writes, of this many bytes, has the tag in its quotes; nil when it does not have it. The
    /// server then copies the field from the body.
    func entityTagRange(inJSON byteCount: Int) -> Range<Int>?
}

extension Tagged {
    public func entityTagRange(inJSON byteCount: Int) -> Range<Int>? { nil }
}
