import Formatting
public import FoundationEssentials

/// A boolean.
public struct BooleanRule: Rule {
    public var schema: Schema { Schema(["type": "boolean"], example: .bool(example)) }
    public var example: Bool { true }

    @inlinable
    init() {}

    public func json(of value: Bool) -> JSONValue { .bool(value) }

    public func read(_ value: InputValue?) throws(InputFault) -> Bool {
        switch value {
        case .parameter("true")?: return true
        case .parameter("false")?: return false
        case .json(let slice)?:
            if slice.bytes.span.equals("true") { return true }
            if slice.bytes.span.equals("false") { return false }
        default: break
        }
        throw .mismatch(value, expected: "a boolean")
    }
}

extension Rule where Self == BooleanRule {
    /// `true` or `false`.
    @inlinable public static var bool: BooleanRule { BooleanRule() }
}

/// One of an enumeration's texts.
public struct ChoiceRule<Value: CaseIterable & RawRepresentable & Sendable & SendableMetatype>: Rule
where Value.RawValue == String {
    public var schema: Schema {
        let texts = Value.allCases.map { JSONValue.string($0.rawValue) }
        return Schema(["type": "string", "enum": .array(texts)], example: texts.first)
    }

    public var example: Value {
        guard let first = Value.allCases.first else { preconditionFailure("\(Value.self) has no cases") }
        return first
    }

    @inlinable
    init() {}

    public func json(of value: Value) -> JSONValue { .string(value.rawValue) }

    public func read(_ value: InputValue?) throws(InputFault) -> Value {
        switch value {
        case .parameter(let text)?, .string(let text)?:
            if let value = Value(rawValue: text) { return value }
        case nil: throw .required
        default: break
        }
        var texts = Value.allCases.map(\.rawValue)
        let last = texts.removeLast()
        throw InputFault("must be \(texts.isEmpty ? last : texts.joined(separator: ", ") + " or " + last)")
    }
}

extension Rule {
    /// One of an enumeration's raw values.
    @inlinable
    public static func choice<Choice>(of type: Choice.Type = Choice.self) -> Self where Self == ChoiceRule<Choice> {
        ChoiceRule()
    }
}

/// A UUID of 36 characters, in lower or upper case.
public struct UUIDRule: Rule {
    public var schema: Schema { .string(format: "uuid", example: example.uuidString) }
    public var example: UUID {
        UUID(uuid: (0x6F, 0xA4, 0x59, 0xEA, 0xEE, 0x8A, 0x4C, 0xA4, 0x89, 0x4E, 0xDB, 0x77, 0xE1, 0x60, 0x35, 0x5E))
    }

    @inlinable
    init() {}

    public func json(of value: UUID) -> JSONValue { .string(value.uuidString) }

    public func read(_ value: InputValue?) throws(InputFault) -> UUID {
        switch value {
        case .parameter(let text)?, .string(let text)?:
            if let value = UUID(queryValue: text) { return value }
            throw InputFault("must be a UUID")
        default: throw .mismatch(value, expected: "a UUID")
        }
    }
}

extension Rule where Self == UUIDRule {
    /// A UUID.
    @inlinable public static var uuid: UUIDRule { UUIDRule() }
}
