/// The tokens of an SQL text outside of quotes and comments, for checking a statement's kind and parameter count.
///
/// Follows PostgreSQL's lexer with `standard_conforming_strings` on (PostgreSQL documentation, §4.1).
struct StatementText {
    /// Keywords and unquoted names in upper case, in order.
    private(set) var words: [String] = []
    /// The highest `n` of its `$n`: the number of parameters that the server expects.
    private(set) var parameterCount = 0

    init(_ sql: String) {
        var rest = sql.utf8[...]
        while let byte = rest.first {
            switch byte {
            case UInt8(ascii: "'"), UInt8(ascii: "\""):
                Self.skipQuoted(&rest, hasEscapes: false)
            case UInt8(ascii: "-") where rest.starts(with: "--".utf8):
                rest = rest.drop { $0 != UInt8(ascii: "\n") }
            case UInt8(ascii: "/") where rest.starts(with: "/*".utf8):
                Self.skipComment(&rest)
            case UInt8(ascii: "$"):
                takeDollar(&rest)
            case _ where Self.isDigit(byte):
                rest = rest.drop(while: Self.isOfWord)
            case _ where Self.isOfWord(byte):
                let word = rest.prefix(while: Self.isOfWord)
                rest = rest[word.endIndex...]
                words.append(Substring(word).uppercased())
                if words.last == "E", rest.first == UInt8(ascii: "'") { Self.skipQuoted(&rest, hasEscapes: true) }
            default:
                rest.removeFirst()
            }
        }
    }

    /// The first word that rules out `.read`, or a phrase for it; nil if the text looks like a read. Side effects of
    /// functions that it calls are not visible here.
    var wordOfWrite: String? {
        guard let first = words.first else { return "no word" }
        guard ["SELECT", "WITH", "VALUES", "TABLE", "SHOW"].contains(first) else { return first }
        for (index, word) in words.enumerated() {
            switch word {
            case "INSERT", "UPDATE", "DELETE", "MERGE", "INTO": return word
            // FOR SHARE and FOR KEY SHARE, like FOR UPDATE and FOR NO KEY UPDATE, wait for locks.
            case "SHARE" where words[..<index].last(where: { $0 != "KEY" }) == "FOR": return "FOR SHARE"
            default: break
            }
        }
        return nil
    }

    /// A parameter or a dollar-quoted string.
    private mutating func takeDollar(_ rest: inout Substring.UTF8View) {
        let tag = rest.dropFirst().prefix { Self.isOfWord($0) && $0 != UInt8(ascii: "$") }
        let end = rest[tag.endIndex...]
        if let first = tag.first, Self.isDigit(first) {
            parameterCount = max(parameterCount, Int(Substring(tag.prefix(while: Self.isDigit))) ?? .max)
            rest = end
        } else if end.first == UInt8(ascii: "$") {
            let delimiter = rest[..<end.index(after: end.startIndex)]
            rest = rest[delimiter.endIndex...]
            while !rest.isEmpty, !rest.starts(with: delimiter) { rest.removeFirst() }
            rest = rest.dropFirst(delimiter.count)
        } else {
            rest.removeFirst()
        }
    }

    /// A quote inside quotes is doubled, or, with escapes, preceded by a backslash.
    private static func skipQuoted(_ rest: inout Substring.UTF8View, hasEscapes: Bool) {
        let quote = rest.removeFirst()
        while let byte = rest.popFirst() {
            if hasEscapes, byte == UInt8(ascii: "\\") {
                rest = rest.dropFirst()
            } else if byte == quote {
                guard rest.first == quote else { return }
                rest.removeFirst()
            }
        }
    }

    /// Comments may be nested.
    private static func skipComment(_ rest: inout Substring.UTF8View) {
        var depth = 0
        repeat {
            if rest.starts(with: "/*".utf8) {
                depth += 1
                rest = rest.dropFirst(2)
            } else if rest.starts(with: "*/".utf8) {
                depth -= 1
                rest = rest.dropFirst(2)
            } else {
                rest = rest.dropFirst()
            }
        } while depth > 0 && !rest.isEmpty
    }

    private static func isDigit(_ byte: UInt8) -> Bool { (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte) }

    private static func isOfWord(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"), UInt8(ascii: "_"),
            UInt8(ascii: "$"), 0x80...:
            true
        default: isDigit(byte)
        }
    }
}
