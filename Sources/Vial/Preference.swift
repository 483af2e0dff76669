import HTTP1

extension Request {
    /// Whether the client wants no representation in the answer to a write: `Prefer: return=minimal` (RFC 7240 §4.2).
    /// The first `return` counts.
    public var prefersMinimal: Bool {
        guard head.fields.contains(.prefer) else { return false }
        for line in head.values("Prefer") {
            for preference in Self.elements(of: line, separatedBy: ",") {
                // Parameters follow the preference and do not concern it.
                guard let word = Self.elements(of: preference, separatedBy: ";").first else { continue }
                let parts = word.split(separator: "=", maxSplits: 1).map(Self.trimmed)
                guard let name = parts.first, name.lowercased() == "return" else { continue }
                return parts.count == 2 && (parts[1] == "minimal" || parts[1] == "\"minimal\"")
            }
        }
        return false
    }

    /// The parts of a text between separators, except those inside quotes.
    private static func elements(of text: some StringProtocol, separatedBy separator: Character) -> [String] {
        var elements = [""]
        var (isQuoted, isEscaped) = (false, false)
        for character in text {
            if character == separator && !isQuoted {
                elements.append("")
                continue
            }
            if character == "\"" && !isEscaped { isQuoted.toggle() }
            isEscaped = isQuoted && character == "\\" && !isEscaped
            elements[elements.count - 1].append(character)
        }
        return elements
    }

    private static func trimmed(_ text: Substring) -> Substring {
        var text = text
        while let first = text.first, first == " " || first == "\t" { text.removeFirst() }
        while let last = text.last, last == " " || last == "\t" { text.removeLast() }
        return text
    }
}
