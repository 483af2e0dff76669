import Formatting

/// The members of a well-formed JSON object, each as the bytes of the text.
public struct JSONMembers {
    /// The position of a member in the text: its name with quotes, and its value.
    struct Member {
        let name: Range<Int>
        let value: Range<Int>
        /// Whether the value is a string without escapes.
        let isPlainText: Bool
    }

    let text: [UInt8]
    let members: [Member]
    @usableFromInline var count: Int { members.count }
    /// Whether any member's name is written with an escape.
    let hasEscapedName: Bool

    /// The value of a member that should be a string.
    public enum Text: Equatable, Sendable {
        /// Absent or null.
        case none
        case text(String)
        /// Another type, or a string with escapes: left to `JSONDecoder`.
        case other
    }

    /// A member's value; `.other` also when any name is written with an escape, because that name could be this one.
    public func text(_ name: StaticString) -> Text {
        if hasEscapedName { return .other }
        return member(name).map(value(of:)) ?? .none
    }

    /// The value of a member that should be a whole number.
    public enum Integer: Equatable, Sendable {
        /// Absent.
        case none
        case integer(Int64)
        /// Another type, or a number in another spelling than its digits: left to `JSONDecoder`.
        case other
    }

    /// A member's value; `.other` also when any name is written with an escape.
    public func integer(_ name: StaticString) -> Integer {
        if hasEscapedName { return .other }
        guard let member = member(name) else { return .none }
        return Int64(segment: text.span.extracting(member.value)).map(Integer.integer) ?? .other
    }

    /// Whether there is a member of this name, also when it is null; false when any name is written with an escape.
    public func contains(_ name: StaticString) -> Bool { !hasEscapedName && member(name) != nil }

    /// Whether every member has one of two names; false when any name is written with an escape.
    public func areAmong(_ first: StaticString, _ second: StaticString) -> Bool {
        if hasEscapedName { return false }
        let members = members.span
        for index in members.indices {
            let name = text.span.extracting(Self.content(members[index].name))
            if !name.equals(first) && !name.equals(second) { return false }
        }
        return true
    }

    /// The names of the members for which `isKnown` is false, in order; nil when any name is written with an escape,
    /// which leaves them to `JSONDecoder`.
    public func names(except isKnown: (Span<UInt8>) -> Bool) -> [String]? {
        if hasEscapedName { return nil }
        var names: [String] = []
        let members = members.span
        for index in members.indices {
            let name = Self.content(members[index].name)
            if !isKnown(text.span.extracting(name)) { names.append(String(decoding: text[name], as: UTF8.self)) }
        }
        return names
    }

    private func member(_ name: StaticString) -> Member? {
        let members = members.span
        for index in members.indices where text.span.extracting(Self.content(members[index].name)).equals(name) {
            return members[index]
        }
        return nil
    }

    /// The same object with its arrays and objects emptied.
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
        // The pointer does not outlive the closure; `String` copies the bytes.
        return .text(unsafe content.withUnsafeBufferPointer { unsafe String(decoding: $0, as: UTF8.self) })
    }

    /// The range between a string's quotes.
    static func content(_ string: Range<Int>) -> Range<Int> {
        string.lowerBound + 1..<string.upperBound - 1
    }
}

/// A type that can be decoded quickly from the usual body: an object whose strings have no escapes.
public protocol JSONObjectDecodable: Decodable {
    /// The value that `JSONDecoder` would produce from the object; nil leaves the decision, and the error, to
    /// `JSONDecoder`.
    init?(_ members: JSONMembers)
}
