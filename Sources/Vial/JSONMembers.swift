import Formatting

/// The members of a JSON object that is known to be well formed, each as it is written.
public struct JSONMembers {
    /// Where a member stands in the text: its name with the quotes, and its value.
    struct Member {
        let name: Range<Int>
        let value: Range<Int>
        /// Whether the value is a string without escapes.
        let isPlainText: Bool
    }

    let text: [UInt8]
    let members: [Member]
    /// Whether the name of any member is written with an escape.
    let hasEscapedName: Bool

    /// What a member is when it should be a text.
    public enum Text: Equatable, Sendable {
        /// Not there, or null.
        case none
        case text(String)
        /// Another value, or a text with escapes: `JSONDecoder` knows what to make of it, or to say about it.
        case other
    }

    /// A member's value; `.other` also when the name of any member is written with an escape, and may so be this one.
    public func text(_ name: StaticString) -> Text {
        if hasEscapedName { return .other }
        let members = members.span
        for index in members.indices where text.span.extracting(Self.content(members[index].name)).equals(name) {
            return value(of: members[index])
        }
        return .none
    }

    /// The same object with nothing in its arrays and objects.
    var outline: [UInt8] {
        var outline = Array("{".utf8)
        for member in members {
            if outline.count > 1 { outline.append(UInt8(ascii: ",")) }
            outline += text[member.name]
            outline.append(UInt8(ascii: ":"))
            switch text[member.value.lowerBound] {
            case UInt8(ascii: "["): outline += "[]".utf8
            case UInt8(ascii: "{"): outline += "{}".utf8
            default: outline += text[member.value]
            }
        }
        outline.append(UInt8(ascii: "}"))
        return outline
    }

    private func value(of member: Member) -> Text {
        guard member.isPlainText else { return text[member.value.lowerBound] == UInt8(ascii: "n") ? .none : .other }
        let content = text.span.extracting(Self.content(member.value))
        // The pointer does not outlive the closure, in which `String` copies from it.
        return .text(unsafe content.withUnsafeBufferPointer { unsafe String(decoding: $0, as: UTF8.self) })
    }

    /// What stands between the quotes of a string.
    static func content(_ string: Range<Int>) -> Range<Int> {
        string.lowerBound + 1..<string.upperBound - 1
    }
}

/// A type that knows how it is written in most bodies: as an object with texts that have no escape.
public protocol JSONObjectDecodable: Decodable {
    /// The value that `JSONDecoder` would make of the same object, or nil when that is for `JSONDecoder` to find out.
    init?(_ members: JSONMembers)
}
