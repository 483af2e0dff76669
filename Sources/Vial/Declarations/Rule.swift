import Formatting

/// What a value of a request may be. One value is both the check and the schema, so a document cannot say anything else
/// than the service does. A rule is made for every request that is read: it stores its bounds, and makes its schema when
/// it is asked for it.
public protocol Rule<Value>: Sendable {
    associatedtype Value: Sendable

    /// Exactly the values that `read` accepts.
    var schema: Schema { get }
    /// A value that `read` accepts. It stands in for the value while a declaration is recorded, and for one with a
    /// fault.
    var example: Value { get }
    /// Whether `read` accepts an absent value.
    var isOptional: Bool { get }

    /// - Parameter value: nil when it is absent.
    func read(_ value: InputValue?) throws(InputFault) -> Value
    /// The value as a request would bring it.
    func json(of value: Value) -> JSONValue
}

extension Rule {
    public var isOptional: Bool { false }
}

/// A text. U+0000 is refused, because PostgreSQL cannot store it.
public struct TextRule: Rule {
    @usableFromInline let count: ClosedRange<Int>
    @usableFromInline let isTrimmed: Bool
    public let example: String

    @inlinable
    init(count: ClosedRange<Int>, isTrimmed: Bool, example: String) {
        self.count = count
        self.isTrimmed = isTrimmed
        self.example = example
    }

    public var schema: Schema {
        // A text of white space alone is empty when it is trimmed.
        let pattern = isTrimmed && count.lowerBound > 0 ? #"^[^\u0000]*[^\s\u0000][^\u0000]*$"# : #"^[^\u0000]*$"#
        return .string(count: count, pattern: pattern, example: example)
    }

    public func json(of value: String) -> JSONValue { .string(value) }

    public func read(_ value: InputValue?) throws(InputFault) -> String {
        let text: String
        switch value {
        case .string(let written)?, .parameter(let written)?: text = isTrimmed ? written.trimmedOfSpace : written
        default: throw .mismatch(value, expected: "a string")
        }
        // A text has at most as many characters as bytes, so the characters of most texts need not be counted.
        if text.utf8.count > count.upperBound || text.utf8.count < count.lowerBound * 4 {
            let characters = text.unicodeScalars.count
            if characters > count.upperBound { throw InputFault("must have at most \(count.upperBound) characters") }
            if characters < count.lowerBound {
                throw InputFault(
                    count.lowerBound == 1 ? "must not be empty" : "must have at least \(count.lowerBound) characters")
            }
        }
        if !text.utf8.span.isPlainJSON && text.utf8.contains(0) { throw InputFault("must not contain U+0000") }
        return text
    }
}

extension Rule where Self == TextRule {
    /// A text without U+0000.
    ///
    /// - Parameters:
    ///   - count: of its characters, which are Unicode scalars, as in PostgreSQL and JSON Schema.
    ///   - trimmed: whether white space at either end is removed before its characters are counted.
    @inlinable
    public static func text(_ count: ClosedRange<Int>, trimmed: Bool = false, example: String = "text") -> TextRule {
        TextRule(count: count, isTrimmed: trimmed, example: example)
    }
}

/// A whole number.
public struct IntegerRule: Rule {
    @usableFromInline let range: ClosedRange<Int>
    public let example: Int

    @inlinable
    init(range: ClosedRange<Int>, example: Int) {
        self.range = range
        self.example = example
    }

    public var schema: Schema {
        .integer(Int64(range.lowerBound)...Int64(range.upperBound), example: Int64(example))
    }

    public func json(of value: Int) -> JSONValue { .integer(Int64(value)) }

    public func read(_ value: InputValue?) throws(InputFault) -> Int {
        let written = try Int64Rule.number(value)
        guard let number = Int(exactly: written), range.contains(number) else {
            throw InputFault("must be between \(range.lowerBound) and \(range.upperBound)")
        }
        return number
    }
}

extension Rule where Self == IntegerRule {
    /// A whole number; in a query, digits only.
    ///
    /// - Parameter example: the lower bound, unless given.
    @inlinable
    public static func int(_ range: ClosedRange<Int>, example: Int? = nil) -> IntegerRule {
        IntegerRule(range: range, example: example ?? range.lowerBound)
    }
}

/// Any whole number of 64 bits, such as an identifier.
public struct Int64Rule: Rule {
    public var schema: Schema { .integer() }
    public var example: Int64 { 1 }

    @inlinable
    init() {}

    public func json(of value: Int64) -> JSONValue { .integer(value) }
    public func read(_ value: InputValue?) throws(InputFault) -> Int64 { try Self.number(value) }

    static func number(_ value: InputValue?) throws(InputFault) -> Int64 {
        switch value {
        case .parameter(let text)?:
            if let number = Int(queryValue: text) { return Int64(number) }
        case .json(let slice)?:
            if let number = Int64(segment: slice.bytes.span) ?? wholeNumber(slice) { return number }
        default: break
        }
        throw .mismatch(value, expected: "a whole number")
    }

    /// A whole number in another spelling, such as `2.0` or `2e1`, which JSON Schema takes for an integer too; nil where
    /// the spelling could have lost a digit.
    private static func wholeNumber(_ slice: JSONSlice) -> Int64? {
        guard let number = Double(String(decoding: slice.bytes, as: UTF8.self)), number.magnitude < 0x1p53 else {
            return nil
        }
        return Int64(exactly: number)
    }
}

extension Rule where Self == Int64Rule {
    /// Any whole number of 64 bits.
    @inlinable public static var int64: Int64Rule { Int64Rule() }
}

extension String {
    /// Without white space at either end. Characters are Unicode scalars, as in PostgreSQL: Swift's `Character`
    /// combines a space with a following accent, which would be lost with the space.
    fileprivate var trimmedOfSpace: String {
        // Nearly every text begins and ends with a visible ASCII character, and needs no trimming.
        if let first = utf8.first, let last = utf8.last, 0x21...0x7E ~= first, 0x21...0x7E ~= last { return self }
        var rest = unicodeScalars[...]
        while let first = rest.first, first.properties.isWhitespace { rest.removeFirst() }
        while let last = rest.last, last.properties.isWhitespace { rest.removeLast() }
        // A text made from the slice itself would begin and end at boundaries of Swift's `Character`.
        return String(String.UnicodeScalarView(rest))
    }
}
