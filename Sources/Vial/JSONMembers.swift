import Formatting

/// The members of a JSON object that is known to be well formed, each as it is written.
public struct JSONMembers {
    /// Where a member stands in the text: its name with the quotes, and its value.
    struct Member {
        let name: Range<Int>
        let value: Range<Int>
    }

    let text: [UInt8]
    let members: [Member]

    /// What a member is when it should be a text.
    public enum Text: Equatable {
        /// Not there, or null.
        case none
        case text(String)
        /// Another value, or a text with escapes: `JSONDecoder` knows what to make of it, or to say about it.
        case other
    }

    /// A member's value; `.other` also when the name of any member is written with an escape, and may so be this one.
    public func text(_ name: StaticString) -> Text {
        var found = Text.none
        for member in members {
            let written = text.span.extracting(Self.content(member.name))
            if !written.isPlainJSON { return .other }
            if written.equals(name) { found = value(member.value) }
        }
        return found
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

    private func value(_ range: Range<Int>) -> Text {
        switch text[range.lowerBound] {
        case UInt8(ascii: "n"): return .none
        case UInt8(ascii: "\""):
            let content = text.span.extracting(Self.content(range))
            guard content.isPlainJSON else { return .other }
            // The pointer does not outlive the closure, in which `String` copies from it.
            return .text(unsafe content.withUnsafeBufferPointer { unsafe String(decoding: $0, as: UTF8.self) })
        default: return .other
        }
    }

    /// What stands between the quotes of a string.
    private static func content(_ string: Range<Int>) -> Range<Int> {
        string.lowerBound + 1..<string.upperBound - 1
    }
}

/// A type that knows how it is written in most bodies: as an object with texts that have no escape.
public protocol JSONObjectDecodable: Decodable {
    /// The value that `JSONDecoder` would make of the same object, or nil when that is for `JSONDecoder` to find out.
    init?(_ members: JSONMembers)
}
