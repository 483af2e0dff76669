/// A value, or null; an absent value is null too.
public struct NullableRule<Wrapped: Rule>: Rule {
    @usableFromInline let wrapped: Wrapped
    public var schema: Schema { wrapped.schema.orNull }
    public var example: Wrapped.Value? { wrapped.example }
    public var isOptional: Bool { true }

    @inlinable
    init(_ wrapped: Wrapped) {
        self.wrapped = wrapped
    }

    public func json(of value: Wrapped.Value?) -> JSONValue { value.map(wrapped.json) ?? .null }

    @inlinable
    public func read(_ value: InputValue?) throws(InputFault) -> Wrapped.Value? {
        switch value {
        case nil, .null?: nil
        case let value: try wrapped.read(value)
        }
    }
}

extension Rule {
    /// As `rule`, or null, or absent; null and absent are the same.
    @inlinable
    public static func orNull<Wrapped>(_ rule: Wrapped) -> Self where Self == NullableRule<Wrapped> {
        NullableRule(rule)
    }
}

/// A value that may be absent, but not null.
public struct OptionalRule<Wrapped: Rule>: Rule {
    @usableFromInline let wrapped: Wrapped
    public var schema: Schema { wrapped.schema }
    public var example: Wrapped.Value? { wrapped.example }
    public var isOptional: Bool { true }

    @inlinable
    init(_ wrapped: Wrapped) {
        self.wrapped = wrapped
    }

    public func json(of value: Wrapped.Value?) -> JSONValue { value.map(wrapped.json) ?? .null }

    @inlinable
    public func read(_ value: InputValue?) throws(InputFault) -> Wrapped.Value? {
        guard let value else { return nil }
        return try wrapped.read(value)
    }
}

extension Rule {
    /// As `rule`, or absent: for a parameter of a query, and for a member of a patch, where absent and null differ.
    @inlinable
    public static func orAbsent<Wrapped>(_ rule: Wrapped) -> Self where Self == OptionalRule<Wrapped> {
        OptionalRule(rule)
    }
}

/// An array, each element by the same rule.
public struct ArrayRule<Element: Rule>: Rule {
    let element: Element
    let count: ClosedRange<Int>
    public var schema: Schema { .array(of: element.schema, count: count) }
    public var example: [Element.Value] { [element.example] }

    public func json(of value: [Element.Value]) -> JSONValue { .array(value.map(element.json)) }

    public func read(_ value: InputValue?) throws(InputFault) -> [Element.Value] {
        guard case .json(let slice)? = value, let elements = slice.elements else {
            throw .mismatch(value, expected: "an array")
        }
        guard count.contains(elements.count) else {
            throw InputFault("must have \(count.lowerBound) to \(count.upperBound) elements")
        }
        var values: [Element.Value] = []
        values.reserveCapacity(elements.count)
        var faults: [InputFault.Item] = []
        for (index, value) in elements.enumerated() {
            do throws(InputFault) { values.append(try element.read(value)) } catch {
                faults += error.under(String(index))
            }
        }
        guard faults.isEmpty else { throw InputFault(faults) }
        return values
    }
}

extension Rule {
    /// An array of `count` elements.
    public static func array<Element>(of element: Element, _ count: ClosedRange<Int>) -> Self
    where Self == ArrayRule<Element> {
        ArrayRule(element: element, count: count)
    }
}

/// An object in a body.
public struct ObjectRule<Value: Sendable>: Rule {
    let input: BodyInput<Value>
    public var schema: Schema { input.schema }
    public var example: Value { input.example }

    /// The example's: a value has no JSON by itself.
    public func json(of value: Value) -> JSONValue { input.schema.example ?? .null }

    public func read(_ value: InputValue?) throws(InputFault) -> Value {
        guard case .json(let slice)? = value, let members = slice.members else {
            throw .mismatch(value, expected: "an object")
        }
        return try input.read(members)
    }
}

extension Rule {
    /// An object with the members that `input` reads.
    public static func object<Object>(_ input: BodyInput<Object>) -> Self where Self == ObjectRule<Object> {
        ObjectRule(input: input)
    }
}
