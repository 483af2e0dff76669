import Formatting

/// A strict check of the JSON grammar, RFC 8259. Runs before decoding, because `JSONDecoder` accepts more than JSON
/// (`[1,]`, `-`, `1.`, UTF-16), picks one of two members with the same name, and does not report the position of an
/// error.
struct JSONSyntax {
    /// Nesting of arrays and objects: several times what bodies need, and a small part of a thread's stack.
    static let depthLimit = 64
    /// Members of one object: several times what bodies need.
    static let memberLimit = 256
    /// Up to this many members, a name is compared with each earlier one; above, names are looked up in a hash set.
    private static let comparedMemberLimit = 8
    /// Initial capacity of the member list.
    private static let usualMemberCount = 4

    /// Why a text is not JSON, and the byte offset where that shows.
    struct Fault: Error, Equatable {
        enum Reason: String {
            case empty = "it is empty"
            case endsEarly = "it ends too early"
            case notUTF8 = "it is not UTF-8"
            case unexpectedCharacter = "unexpected character"
            case controlCharacter = "a control character in a string is not escaped"
            case invalidEscape = "invalid escape in a string"
            case tooDeep = "it is nested too deeply"
            case repeatedName = "a name is repeated in an object"
            case tooManyMembers = "an object has too many members"
        }

        let reason: Reason
        let offset: Int

        /// `unexpected character at line 1, column 5`; both count from 1, columns in characters.
        func description(in text: [UInt8]) -> String {
            if reason == .empty { return reason.rawValue }
            let before = text[..<offset]
            let lineStart = before.lastIndex(of: 0x0A).map { $0 + 1 } ?? 0
            let line = 1 + before.count { $0 == 0x0A }
            let column = 1 + before[lineStart...].count { $0 & 0xC0 != 0x80 }
            return "\(reason.rawValue) at line \(line), column \(column)"
        }
    }

    private let text: [UInt8]
    private var position = 0
    private var members: JSONMembers?

    private init(_ text: [UInt8]) {
        self.text = text
    }

    /// Checks that `text` is a single JSON value, with nothing but whitespace around it.
    ///
    /// - Returns: the members of an object; nil for any other value.
    @discardableResult
    static func check(_ text: [UInt8]) throws(Fault) -> JSONMembers? {
        if text.isEmpty { throw Fault(reason: .empty, offset: 0) }
        do { _ = try UTF8Span(validating: text.span) } catch {
            throw Fault(reason: .notUTF8, offset: error.byteOffsets.lowerBound)
        }
        var syntax = JSONSyntax(text)
        try syntax.value(depth: 0)
        syntax.skipSpace()
        guard syntax.position == text.count else { throw syntax.fault(.unexpectedCharacter) }
        return syntax.members
    }

    /// The elements of an array in a text that was checked: the range of each, and its members if it is an object.
    ///
    /// - Parameters:
    ///   - array: the range of the array in the text.
    ///   - limit: more elements are not read.
    static func elements(
        of array: Range<Int>, in text: [UInt8], limit: Int
    ) throws(Fault) -> [(range: Range<Int>, members: JSONMembers?)] {
        var syntax = JSONSyntax(text)
        syntax.position = array.lowerBound
        var elements: [(range: Range<Int>, members: JSONMembers?)] = []
        var goesOn = try syntax.beginsElements(closing: UInt8(ascii: "]"))
        while goesOn, elements.count < limit {
            syntax.skipSpace()
            let start = syntax.position
            syntax.members = nil
            try syntax.value(depth: 0)
            elements.append((start..<syntax.position, syntax.members))
            goesOn = try syntax.nextElement(closing: UInt8(ascii: "]"))
        }
        return elements
    }

    /// - Returns: whether the value is a string without escapes.
    @discardableResult
    private mutating func value(depth: Int) throws(Fault) -> Bool {
        skipSpace()
        switch try current() {
        case UInt8(ascii: "\""): return try !string()
        case UInt8(ascii: "{"): try object(depth: depth + 1)
        case UInt8(ascii: "["): try array(depth: depth + 1)
        case UInt8(ascii: "t"): try literal("true")
        case UInt8(ascii: "f"): try literal("false")
        case UInt8(ascii: "n"): try literal("null")
        default: try number()
        }
        return false
    }

    /// A separate function keeps the common case small.
    @inline(never)
    private func isRepeated(
        _ name: Range<Int>, hasEscape: Bool, after members: [JSONMembers.Member], in lookup: inout JSONNames?
    ) -> Bool {
        var names = lookup.take() ?? JSONNames(members, in: text)
        defer { lookup = names }
        return !names.insert(name, hasEscape: hasEscape, in: text, after: members)
    }

    private mutating func object(depth: Int) throws(Fault) {
        guard depth <= Self.depthLimit else { throw fault(.tooDeep) }
        var members: [JSONMembers.Member] = []
        var lookup: JSONNames?
        var hasEscapedName = false
        members.reserveCapacity(Self.usualMemberCount)
        if try beginsElements(closing: UInt8(ascii: "}")) {
            repeat {
                skipSpace()
                guard try current() == UInt8(ascii: "\"") else { throw fault(.unexpectedCharacter) }
                let start = position
                let hasEscape = try string()
                let name = start..<position
                if hasEscape { hasEscapedName = true }
                if lookup != nil || hasEscape || members.count == Self.comparedMemberLimit {
                    if isRepeated(name, hasEscape: hasEscape, after: members, in: &lookup) {
                        throw Fault(reason: .repeatedName, offset: start)
                    }
                } else {
                    for member in members where isEqual(member.name, name) {
                        throw Fault(reason: .repeatedName, offset: start)
                    }
                }
                if members.count == Self.memberLimit { throw Fault(reason: .tooManyMembers, offset: start) }
                skipSpace()
                guard try current() == UInt8(ascii: ":") else { throw fault(.unexpectedCharacter) }
                position += 1
                skipSpace()
                let valueStart = position
                let isPlainText = try value(depth: depth)
                members.append(.init(name: name, value: valueStart..<position, isPlainText: isPlainText))
            } while try nextElement(closing: UInt8(ascii: "}"))
        }
        if depth == 1 { self.members = JSONMembers(text: text, members: members, hasEscapedName: hasEscapedName) }
    }

    private func isEqual(_ first: Range<Int>, _ second: Range<Int>) -> Bool {
        text.span.extracting(first).equals(text.span.extracting(second))
    }

    private mutating func array(depth: Int) throws(Fault) {
        guard depth <= Self.depthLimit else { throw fault(.tooDeep) }
        guard try beginsElements(closing: UInt8(ascii: "]")) else { return }
        repeat { try value(depth: depth) } while try nextElement(closing: UInt8(ascii: "]"))
    }

    /// Consumes the opening bracket.
    ///
    /// - Returns: false when the closing bracket follows at once.
    private mutating func beginsElements(closing: UInt8) throws(Fault) -> Bool {
        position += 1
        skipSpace()
        guard try current() == closing else { return true }
        position += 1
        return false
    }

    /// Consumes the comma or bracket behind an element.
    ///
    /// - Returns: whether another element follows.
    private mutating func nextElement(closing: UInt8) throws(Fault) -> Bool {
        skipSpace()
        switch try current() {
        case UInt8(ascii: ","):
            position += 1
            return true
        case closing:
            position += 1
            return false
        default: throw fault(.unexpectedCharacter)
        }
    }

    /// - Returns: whether the string contains an escape.
    private mutating func string() throws(Fault) -> Bool {
        position += 1
        var hasEscape = false
        while true {
            position = text.span.endOfPlainJSON(from: position)
            switch try current() {
            case UInt8(ascii: "\""):
                position += 1
                return hasEscape
            case UInt8(ascii: "\\"):
                hasEscape = true
                try escape()
            default: throw fault(.controlCharacter)
            }
        }
    }

    private mutating func escape() throws(Fault) {
        let start = position
        position += 1
        switch try current() {
        case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"), UInt8(ascii: "b"), UInt8(ascii: "f"),
            UInt8(ascii: "n"), UInt8(ascii: "r"), UInt8(ascii: "t"):
            position += 1
        case UInt8(ascii: "u"):
            let unit = try codeUnit()
            // A surrogate is valid only as the first half of a pair, followed by the second.
            if unit & 0xF800 != 0xD800 { return }
            guard unit < 0xDC00, try current() == UInt8(ascii: "\\") else {
                throw Fault(reason: .invalidEscape, offset: start)
            }
            position += 1
            guard try current() == UInt8(ascii: "u"), try codeUnit() & 0xFC00 == 0xDC00 else {
                throw Fault(reason: .invalidEscape, offset: start)
            }
        default: throw fault(.invalidEscape)
        }
    }

    /// Consumes `u` and four hexadecimal digits.
    private mutating func codeUnit() throws(Fault) -> UInt16 {
        position += 1
        var unit: UInt16 = 0
        for _ in 0..<4 {
            let digit: UInt8
            switch try current() {
            case let byte where (0x30...0x39).contains(byte): digit = byte - 0x30
            case let byte where (0x41...0x46).contains(byte): digit = byte - 0x37
            case let byte where (0x61...0x66).contains(byte): digit = byte - 0x57
            default: throw fault(.invalidEscape)
            }
            unit = unit << 4 | UInt16(digit)
            position += 1
        }
        return unit
    }

    private mutating func number() throws(Fault) {
        if try current() == UInt8(ascii: "-") { position += 1 }
        if try current() == UInt8(ascii: "0") { position += 1 } else { try digits() }
        if position < text.count, text[position] == UInt8(ascii: ".") {
            position += 1
            try digits()
        }
        if position < text.count, text[position] | 0x20 == UInt8(ascii: "e") {
            position += 1
            let sign = try current()
            if sign == UInt8(ascii: "+") || sign == UInt8(ascii: "-") { position += 1 }
            try digits()
        }
    }

    /// Consumes at least one digit.
    private mutating func digits() throws(Fault) {
        guard (0x30...0x39).contains(try current()) else { throw fault(.unexpectedCharacter) }
        while position < text.count, (0x30...0x39).contains(text[position]) { position += 1 }
    }

    private mutating func literal(_ word: String) throws(Fault) {
        for byte in word.utf8 {
            guard try current() == byte else { throw fault(.unexpectedCharacter) }
            position += 1
        }
    }

    private mutating func skipSpace() {
        while position < text.count {
            switch text[position] {
            case 0x20, 0x09, 0x0A, 0x0D: position += 1
            default: return
            }
        }
    }

    private func current() throws(Fault) -> UInt8 {
        guard position < text.count else { throw fault(.endsEarly) }
        return text[position]
    }

    private func fault(_ reason: Fault.Reason) -> Fault { Fault(reason: reason, offset: position) }
}
