/// A value bound to a statement, sent in the binary format of the type named.
public enum Parameter: Sendable, Equatable {
    case null
    /// int8
    case int64(Int64)
    /// int4
    case int32(Int32)
    case bool(Bool)
    /// text, as UTF-8; PostgreSQL refuses U+0000.
    case text(String)
    /// int8[], not empty
    case int64s([Int64])

    /// A text, or null.
    public static func optionalText(_ text: String?) -> Parameter {
        text.map(Parameter.text) ?? .null
    }
}

extension Parameter {
    /// The type's number in PostgreSQL's catalog, `pg_type.oid`, where the binary format names it.
    private static let int8: Int32 = 20

    /// Appends the value in the binary format of its type; nothing for null.
    func append(to bytes: inout [UInt8]) {
        switch self {
        case .null: break
        case .int64(let value): Self.append(value, to: &bytes)
        case .int32(let value): Self.append(value, to: &bytes)
        case .bool(let value): bytes.append(value ? 1 : 0)
        case .text(let text): bytes.append(contentsOf: text.utf8)
        case .int64s(let values):
            // One dimension, no nulls; how many elements, numbered from 1; then each with its length.
            for number in [1, 0, Self.int8, Int32(values.count), 1] { Self.append(number, to: &bytes) }
            for value in values {
                Self.append(8 as Int32, to: &bytes)
                Self.append(value, to: &bytes)
            }
        }
    }

    private static func append<Number: FixedWidthInteger>(_ number: Number, to bytes: inout [UInt8]) {
        // One look at the array's room instead of one a byte.
        unsafe withUnsafeBytes(of: number.bigEndian) { unsafe bytes.append(contentsOf: $0) }
    }
}
