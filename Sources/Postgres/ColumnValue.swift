/// A value that a column can have, and a statement can be asked with.
///
/// Columns are read by the type that is wanted, parameters are made by `Parameter.value`:
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
/// | `String` | text; read also from varchar, char(n), name, json, and from enums and other types that users made |
/// | `UUID` | uuid |
/// | `[UInt8]` | bytea |
/// | `CalendarDate` | date |
/// | `Timestamp` | timestamptz |
/// | an array of any of these, except of `[UInt8]`; with `Element?` of any that may hold nulls | an array of one dimension |
///
/// An enum of `String` or of a number becomes one by naming the protocol: `enum State: String, ColumnValue { … }`. Values of
/// jsonb are any `Codable`: `Row.json`, `Parameter.jsonb`.
public protocol ColumnValue: Sendable {
    /// The type that it is sent as, and that columns to read it from have.
    static var columnType: ColumnType { get }

    /// Whether it can be read from a column of a type, which is `columnType` alone unless this says otherwise.
    static func reads(_ type: ColumnType) -> Bool

    /// The value of a field that is not null, in the binary format of a type that it `reads`.
    ///
    /// - Throws: for bytes that are no such value; any bytes may come.
    init(binary bytes: Span<UInt8>) throws(ColumnError)

    /// The value in the binary format of `columnType`.
    var parameter: Parameter { get }
}

extension ColumnValue {
    public static func reads(_ type: ColumnType) -> Bool { type == columnType }
}

/// An enum is what its raw values are; a column's value that is none of them is an error.
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
    /// A value of any type that a column has, or null.
    public static func value(_ value: (some ColumnValue)?) -> Parameter {
        value.map(\.parameter) ?? .null
    }
}

extension Row {
    /// The value of a column that is never null: `try row[0] as UUID`.
    ///
    /// - Throws: `DatabaseError.unexpectedResult` naming the column, when it is missing, null, of another type or out of the
    ///   Swift type's range.
    public subscript<Value: ColumnValue>(column: Int) -> Value {
        get throws(DatabaseError) {
            guard let value: Value = try self[column] else { throw .unexpectedResult("column \(column) is null") }
            return value
        }
    }

    /// The value of a column, or nil for null: `try row[3] as String?`.
    ///
    /// - Throws: `DatabaseError.unexpectedResult` naming the column, when it is missing, of another type or out of the Swift
    ///   type's range.
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
