import Formatting

/// A value as a request brings it: a parameter of the query, or a member of a JSON body.
public enum InputValue: Sendable {
    /// A parameter's decoded text.
    case parameter(String)
    /// A string's content, unescaped.
    case string(String)
    case null
    /// A number, a boolean, an array or an object.
    case json(JSONSlice)
}

/// A well-formed JSON value in a text.
public struct JSONSlice: Sendable {
    let text: [UInt8]
    let range: Range<Int>

    public var bytes: ArraySlice<UInt8> { text[range] }

    /// The members of an object; nil for any other value.
    var members: JSONMembers? {
        guard text[range.lowerBound] == UInt8(ascii: "{") else { return nil }
        // It is part of a text that was checked.
        return try? JSONSyntax.check(Array(bytes))
    }

    /// The elements of an array; nil for any other value.
    var elements: [InputValue]? {
        guard text[range.lowerBound] == UInt8(ascii: "[") else { return nil }
        var elements: [InputValue] = []
        var (start, depth, isInString) = (range.lowerBound + 1, 0, false)
        var position = start
        while position < range.upperBound {
            switch text[position] {
            case UInt8(ascii: "\\"): position += 1
            case UInt8(ascii: "\""): isInString.toggle()
            case _ where isInString: break
            case UInt8(ascii: "["), UInt8(ascii: "{"): depth += 1
            case UInt8(ascii: ","), UInt8(ascii: "]"), UInt8(ascii: "}"):
                if depth == 0 {
                    if let element = Self.trimmed(start..<position, in: text) {
                        elements.append(InputValue(text, element))
                    }
                    start = position + 1
                } else if text[position] != UInt8(ascii: ",") {
                    depth -= 1
                }
            default: break
            }
            position += 1
        }
        return elements
    }

    /// The range without the white space around it; nil when nothing is left.
    private static func trimmed(_ range: Range<Int>, in text: [UInt8]) -> Range<Int>? {
        var range = range
        while let first = range.first, text[first] <= 0x20 { range.removeFirst() }
        while let last = range.last, text[last] <= 0x20 { range.removeLast() }
        return range.isEmpty ? nil : range
    }
}

extension InputValue {
    /// The text of a parameter or a string; nil for any other value.
    public var text: String? {
        switch self {
        case .parameter(let text), .string(let text): text
        case .null, .json: nil
        }
    }

    /// The value at `range` of a well-formed text.
    init(_ text: [UInt8], _ range: Range<Int>) {
        switch text[range.lowerBound] {
        case UInt8(ascii: "\""): self = .string(String(decoding: JSONNames.read(range, in: text), as: UTF8.self))
        case UInt8(ascii: "n"): self = .null
        default: self = .json(JSONSlice(text: text, range: range))
        }
    }
}

extension JSONMembers {
    /// A member's value; nil when there is no such member.
    @usableFromInline
    func input(_ name: StaticString) -> InputValue? {
        let members = members.span
        for index in members.indices where isNamed(name, members[index]) {
            let member = members[index]
            guard member.isPlainText else { return InputValue(text, member.value) }
            let content = text.span.extracting(Self.content(member.value))
            // The pointer does not outlive the closure; `String` copies the bytes.
            return .string(unsafe content.withUnsafeBufferPointer { unsafe String(decoding: $0, as: UTF8.self) })
        }
        return nil
    }

    @inline(__always)
    private func isNamed(_ name: StaticString, _ member: Member) -> Bool {
        if text.span.extracting(Self.content(member.name)).equals(name) { return true }
        return hasEscapedName && JSONNames.read(member.name, in: text).span.equals(name)
    }

    /// The unescaped names, in order.
    var names: [String] { members.map { String(decoding: JSONNames.read($0.name, in: text), as: UTF8.self) } }
}

/// Why a value breaks a rule. A value with members may have several faults.
public struct InputFault: Error, Sendable {
    /// One fault of a value, or of a member in it.
    @usableFromInline
    struct Item: Sendable {
        /// The names and positions from the value to the member.
        var path: [String]
        let message: String
    }

    private(set) var items: [Item]

    /// - Parameter message: follows the member's name in a sentence: `must be a whole number`.
    public init(_ message: String) {
        items = [Item(path: [], message: message)]
    }

    init(_ items: [Item]) {
        self.items = items
    }

    /// The same faults, of a member of this name.
    func under(_ name: String) -> [Item] {
        items.map { Item(path: [name] + $0.path, message: $0.message) }
    }

    /// Characters of an unknown name that an answer repeats.
    private static let shownNameLimit = 64

    /// The faults of members or parameters that were not read.
    static func unknown(_ names: [String]) -> [Item] {
        names.map { Item(path: [String($0.prefix(shownNameLimit))], message: "is not known") }
    }

    static var required: InputFault { InputFault("is required") }

    /// The fault of a value of another type.
    ///
    /// - Parameter expected: `a string`.
    public static func mismatch(_ value: InputValue?, expected: String) -> InputFault {
        switch value {
        case nil: .required
        case .null?: InputFault("must not be null")
        default: InputFault("must be \(expected)")
        }
    }
}
