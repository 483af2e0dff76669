public import Postgres
public import Vial

// Rules for PostgreSQL's types.

/// A decimal number as a string: digits, and a point between digits.
public struct DecimalRule: Rule {
    let characters: Int
    let allowsNegative: Bool

    public var schema: Schema {
        .string(
            count: 1...characters, pattern: (allowsNegative ? "^-?" : "^") + #"[0-9]+(\.[0-9]+)?$"#,
            example: example.description)
    }

    public var example: ExactDecimal { ExactDecimal(12) }

    public func json(of value: ExactDecimal) -> JSONValue { .string(value.description) }

    public func read(_ value: InputValue?) throws(InputFault) -> ExactDecimal {
        guard let text = value?.text else { throw .mismatch(value, expected: "a decimal number, as a string") }
        guard text.utf8.count <= characters, let number = ExactDecimal(text), Self.isPlain(text, allowsNegative) else {
            throw InputFault(
                "must be a decimal number\(allowsNegative ? "" : " from 0 on"), of at most \(characters) characters")
        }
        return number
    }

    /// Whether it begins and ends with a digit, except for an allowed sign.
    private static func isPlain(_ text: String, _ allowsNegative: Bool) -> Bool {
        let isNegative = text.utf8.first == UInt8(ascii: "-")
        if isNegative && !allowsNegative { return false }
        let digits = isNegative ? text.dropFirst() : text[...]
        return [digits.utf8.first, digits.utf8.last].allSatisfy { $0.map { (0x30...0x39).contains($0) } ?? false }
    }
}

extension Rule where Self == DecimalRule {
    /// A decimal number as a string, which is kept as it is written.
    public static func decimal(characters: Int, allowsNegative: Bool = true) -> DecimalRule {
        DecimalRule(characters: characters, allowsNegative: allowsNegative)
    }
}

/// A point in time, as RFC 3339 writes it.
public struct TimestampRule: Rule {
    public var schema: Schema { .string(format: "date-time", example: example.description) }
    /// 2024-11-01T12:00:00Z.
    public var example: Timestamp { Timestamp(microsecondsSinceEpoch: 1_730_462_400_000_000) }

    public func json(of value: Timestamp) -> JSONValue { .string(value.description) }

    public func read(_ value: InputValue?) throws(InputFault) -> Timestamp {
        guard let text = value?.text else { throw .mismatch(value, expected: "a string") }
        guard let timestamp = Timestamp(text) else { throw InputFault("must be a moment like 2024-11-01T12:00:00Z") }
        return timestamp
    }
}

extension Rule where Self == TimestampRule {
    /// A point in time.
    public static var timestamp: TimestampRule { TimestampRule() }
}
