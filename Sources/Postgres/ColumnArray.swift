/// A type whose arrays can be values of a column. A type that conforms to `ColumnValue` needs only the conformance:
/// `enum State: String, ColumnValue, ArrayElement { … }`.
public protocol ArrayElement: Sendable {
    /// The type as which an array of them is sent.
    static var arrayType: ColumnType { get }

    /// Whether an array of them can be read from a column of this type.
    static func readsArray(_ type: ColumnType) -> Bool

    /// Decodes a field that is not null, in the binary format of a type for which `readsArray` is true.
    ///
    /// - Throws: if the bytes are no such array, or have more than one dimension. The bytes are untrusted.
    static func array(binary bytes: Span<UInt8>) throws(ColumnError) -> [Self]

    /// Encodes the elements in the binary format of `arrayType`.
    static func parameter(array: [Self]) -> Parameter
}

extension ArrayElement where Self: ColumnValue {
    public static var arrayType: ColumnType { columnType.array ?? .anyarray }

    public static func readsArray(_ type: ColumnType) -> Bool { ArrayFormat.reads(type, of: Self.self) }

    public static func array(binary bytes: Span<UInt8>) throws(ColumnError) -> [Self] {
        try ArrayFormat.elements(bytes, of: Self.self) { (element) throws(ColumnError) in
            guard let element else { throw .nullElement }
            return try Self(binary: element)
        }
    }

    public static func parameter(array: [Self]) -> Parameter {
        ArrayFormat.parameter(array, of: Self.self, hasNulls: false, \.self)
    }
}

/// nil is null.
extension Optional: ArrayElement where Wrapped: ColumnValue & ArrayElement {
    public static var arrayType: ColumnType { Wrapped.arrayType }

    public static func readsArray(_ type: ColumnType) -> Bool { Wrapped.readsArray(type) }

    public static func array(binary bytes: Span<UInt8>) throws(ColumnError) -> [Wrapped?] {
        try ArrayFormat.elements(bytes, of: Wrapped.self) { (element) throws(ColumnError) in
            if let element { try Wrapped(binary: element) } else { nil }
        }
    }

    public static func parameter(array: [Wrapped?]) -> Parameter {
        ArrayFormat.parameter(array, of: Wrapped.self, hasNulls: array.contains { $0 == nil }, \.self)
    }
}

/// `[UInt8]` is bytea, not a PostgreSQL array.
extension UInt8: ArrayElement {
    public static var arrayType: ColumnType { .bytea }

    public static func readsArray(_ type: ColumnType) -> Bool { type == .bytea }

    public static func array(binary bytes: Span<UInt8>) throws(ColumnError) -> [UInt8] {
        // Copied by the array before the call returns.
        unsafe bytes.withUnsafeBufferPointer { unsafe [UInt8]($0) }
    }

    public static func parameter(array: [UInt8]) -> Parameter { .bytes(array) }
}

/// An array of one dimension, or an empty one. `[UInt8]` is bytea.
extension Array: ColumnValue where Element: ArrayElement {
    public static var columnType: ColumnType { Element.arrayType }

    public static func reads(_ type: ColumnType) -> Bool { Element.readsArray(type) }

    public init(binary bytes: Span<UInt8>) throws(ColumnError) {
        self = try Element.array(binary: bytes)
    }

    public var parameter: Parameter { Element.parameter(array: self) }
}

/// The binary format of arrays (`array_send` and `array_recv` in src/backend/utils/adt/arrayfuncs.c): number of
/// dimensions, whether there are nulls, element type; per dimension its length and lower bound; then each element,
/// preceded by its length, which is -1 for null.
private enum ArrayFormat {
    /// The element type of a user-defined array type is not known from its OID; the bytes contain it.
    static func reads<Element: ColumnValue>(_ type: ColumnType, of: Element.Type) -> Bool {
        type.element.map(Element.reads) ?? type.isUserDefined
    }

    static func elements<Element: ColumnValue, Value>(
        _ bytes: Span<UInt8>, of: Element.Type, _ decode: (Span<UInt8>?) throws(ColumnError) -> Value
    ) throws(ColumnError) -> [Value] {
        guard bytes.count >= 12 else { throw .invalid("is no array") }
        let dimensions = bytes.number(at: 0, as: Int32.self)
        let type = ColumnType(oid: bytes.number(at: 8))
        guard Element.reads(type) else { throw .invalid("has elements that are \(type), not \(Element.columnType)") }
        if dimensions == 0, bytes.count == 12 { return [] }
        guard dimensions == 1 else { throw .invalid("has \(dimensions) dimensions, not 1") }
        guard bytes.count >= 20 else { throw .invalid("is no array") }
        // The lower bound, which is hardly ever other than 1, has no meaning in Swift.
        let count = Int(bytes.number(at: 12, as: Int32.self))
        // Each element takes at least the 4 bytes of its length.
        guard count >= 0, count <= (bytes.count - 20) / 4 else { throw .invalid("is no array") }
        var values: [Value] = []
        values.reserveCapacity(count)
        var position = 20
        for _ in 0..<count {
            guard bytes.count - position >= 4 else { throw .invalid("is no array") }
            let length = Int(bytes.number(at: position, as: Int32.self))
            position += 4
            if length == -1 {
                values.append(try decode(nil))
                continue
            }
            guard length >= 0, length <= bytes.count - position else { throw .invalid("is no array") }
            values.append(try decode(bytes.extracting(position..<position + length)))
            position += length
        }
        guard position == bytes.count else { throw .invalid("is no array") }
        return values
    }

    static func parameter<Element: ColumnValue, Value>(
        _ values: [Value], of: Element.Type, hasNulls: Bool, _ element: (Value) -> Element?
    ) -> Parameter {
        var bytes: [UInt8] = []
        Parameter.appendArrayHead(of: Element.columnType, count: values.count, hasNulls: hasNulls, to: &bytes)
        for value in values {
            let parameter = element(value)?.parameter ?? .null
            guard !parameter.isNull else {
                Parameter.append(-1 as Int32, to: &bytes)
                continue
            }
            var field: [UInt8] = []
            parameter.append(to: &field)
            Parameter.append(Int32(field.count), to: &bytes)
            bytes += field
        }
        return .bytes(bytes)
    }
}
