/// A value that a column can have and a statement can take.
///
/// A column is read as the type the context asks for; `Parameter.value` makes parameters:
///
/// ```swift
/// let order = try Order(id: row[0], amount: row[1], note: row[2])
/// pool.query(Self.insert, [.value(order.id), .value(order.amount), .value(order.note)])
/// ```
///
/// | Swift | PostgreSQL |
/// |---|---|
/// | `Bool` | bool |
/// | `Int16`, `Int32`, `Int64` and `Int` | int2, int4, int8 |
/// | `Double` | float8 |
/// | `ExactDecimal` | numeric |
/// | `String` | text; also read from varchar, char(n), name, json, and from enums and other user-defined types |
/// | `UUID` | uuid |
/// | `[UInt8]` | bytea |
/// | `CalendarDate` | date |
/// | `Timestamp` | timestamptz |
/// | an array of any of these except `[UInt8]`; of `Element?` if it may contain nulls | an array of one dimension |
///
/// An enum of `String` or of a number needs only the conformance: `enum State: String, ColumnValue { … }`. jsonb values
/// can be any `Codable`: `Row.json`, `Parameter.jsonb`.
public protocol ColumnValue: Sendable {
    /// The type as which it is sent, and from which it is read by default.
    static var columnType: ColumnType { get }

    /// Whether it can be read from a column of this type; by default only from `columnType`.
    static func reads(_ type: ColumnType) -> Bool

    /// Decodes a field that is not null, in the binary format of a type that it `reads`.
    ///
    /// - Throws: if the bytes are no such value. The bytes are untrusted.
    init(binary bytes: Span<UInt8>) throws(ColumnError)

    /// Encodes the value in the binary format of `columnType`.
    var parameter: Parameter { get }
}

extension ColumnValue {
    public static func reads(_ type: ColumnType) -> Bool { type == columnType }
}

/// An enum is encoded as its raw value. A column's value that is no raw value is an error.
extension ColumnValue where Self: RawRepresentable, RawValue: ColumnValue {
    public static var columnType: ColumnType { RawValue.columnType }

    public static func reads(_ type: ColumnType) -> Bool { RawValue.reads(type) }

    public init(binary bytes: Span<UInt8>) throws(ColumnError) {
        guard let value = Self(rawValue: try RawValue(binary: bytes)) else {
            throw .invalid("is none of the values of \(Self.self)")
        }
        self = value
    }

    public var parameter: Parameter { rawValue.parameter }
}

extension Parameter {
    /// A value of any column type, or null.
    public static func value(_ value: (some ColumnValue)?) -> Parameter {
        value.map(\.parameter) ?? .null
    }
}

extension Row {
    /// The value of a column that is never null: `try row[0] as UUID`.
    ///
    /// - Throws: `DatabaseError.unexpectedResult` with the column's number if it is missing, null, of another type or
    ///   outside the Swift type's range.
    public subscript<Value: ColumnValue>(column: Int) -> Value {
        get throws(DatabaseError) {
            guard let value: Value = try self[column] else { throw .unexpectedResult("column \(column) is null") }
            return value
        }
    }

    /// The value of a column, nil if it is null: `try row[3] as String?`.
    ///
    /// - Throws: `DatabaseError.unexpectedResult` with the column's number if it is missing, of another type or outside
    ///   the Swift type's range.
    public subscript<Value: ColumnValue>(column: Int) -> Value? {
        get throws(DatabaseError) {
            let type = try execution.type(index, column)
            guard Value.reads(type) else {
                throw .unexpectedResult("column \(column) is \(type), not \(Value.columnType)")
            }
            return try execution.withBytes(index, column) { (bytes) throws(DatabaseError) in
                do throws(ColumnError) {
                    return try Value(binary: bytes)
                } catch {
                    throw DatabaseError.unexpectedResult("column \(column) \(error)")
                }
            }
        }
    }
}
