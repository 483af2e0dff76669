/// The media types that a client takes, as in `Accept`, RFC 9110 §12.5.1: `text/html, */*;q=0.8`.
public struct AcceptField: Equatable, Sendable {
    /// How much a client wants a media type, in thousandths: 0 refuses it, 1000 is the default.
    public typealias Weight = Int

    /// The weight of an element that has none.
    public static let fullWeight = 1000

    fileprivate struct Element: Equatable, Sendable {
        let type: Substring
        let subtype: Substring
        let weight: Weight
    }

    /// `application`, `json`: exact, then with one wildcard, then with two. A more specific element takes precedence.
    fileprivate enum Match: Int {
        case none, all, type, exact
    }

    private let elements: [Element]

    /// An element that breaks the grammar is ignored, as RFC 9110 §5.6.1 lets a recipient do: a client that sends one
    /// expects an answer.
    ///
    /// - Parameter text: the values of all lines, with commas between them.
    public init(_ text: Span<UInt8>) {
        var elements: [Element] = []
        var start = 0
        while start < text.count {
            let end = Self.endOfElement(in: text, from: start)
            if let element = Element(text.extracting(start..<end)) { elements.append(element) }
            start = end + 1
        }
        self.elements = elements
    }

    /// The weight of a media type; 1000 when the field has no valid element, as without the field.
    ///
    /// - Parameter name: in lower case and without parameters: `application/json`.
    public func weight(of name: String) -> Weight {
        if elements.isEmpty { return Self.fullWeight }
        let parts = name.split(separator: "/", maxSplits: 1)
        guard parts.count == 2 else { return 0 }
        var best = (match: Match.none, weight: 0)
        for element in elements {
            let match = element.match(type: parts[0], subtype: parts[1])
            if match.rawValue > best.match.rawValue {
                best = (match, element.weight)
            } else if match == best.match, match != .none {
                // The same type twice, with other parameters: one of them is enough.
                best.weight = max(best.weight, element.weight)
            }
        }
        return best.weight
    }

    /// The first comma outside quotes, else the end.
    private static func endOfElement(in text: Span<UInt8>, from start: Int) -> Int {
        var isQuoted = false
        var position = start
        while position < text.count {
            switch text[position] {
            case 0x22: isQuoted.toggle()
            case 0x5C where isQuoted: position += 1
            case 0x2C where !isQuoted: return position
            default: break
            }
            position += 1
        }
        return text.count
    }
}

extension AcceptField.Element {
    /// Nil for a text that is no media range. All parameters but the weight are ignored: the representations here have
    /// none that a client could choose by.
    fileprivate init?(_ text: Span<UInt8>) {
        var start = 0
        while start < text.count, Grammar.isBlank(text[start]) { start += 1 }
        guard let range = MediaType(text.extracting(start...)) else { return nil }
        let parts = range.name.split(separator: "/", maxSplits: 1)
        guard parts.count == 2, parts[0] != "*" || parts[1] == "*" else { return nil }
        (type, subtype) = (parts[0], parts[1])
        weight = range.parameters.last { $0.name == "q" }.map { Self.weight($0.value) } ?? AcceptField.fullWeight
    }

    fileprivate func match(type: Substring, subtype: Substring) -> AcceptField.Match {
        if self.type == "*" { return .all }
        guard self.type == type else { return .none }
        if self.subtype == "*" { return .type }
        return self.subtype == subtype ? .exact : .none
    }

    /// `0.8` is 800. Any other text than that of §12.4.2, such as the `.2` of some clients, is the full weight: only a
    /// clear 0 refuses a type.
    private static func weight(_ text: String) -> Int {
        let digits = text.utf8.dropFirst(2)
        guard let whole = text.utf8.first, whole == 0x30 || whole == 0x31, digits.count <= 3,
            text.utf8.count == 1 || text.utf8.dropFirst().first == 0x2E, digits.allSatisfy(Grammar.isDigit)
        else { return AcceptField.fullWeight }
        var weight = Int(whole - 0x30)
        for place in 0..<3 {
            let digit = place < digits.count ? digits[digits.index(digits.startIndex, offsetBy: place)] : 0x30
            weight = weight * 10 + Int(digit - 0x30)
        }
        return min(weight, AcceptField.fullWeight)
    }
}
