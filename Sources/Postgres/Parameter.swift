import Formatting

/// A statement's parameter, sent in the binary format of the named type, to which the SQL must cast it: `$1::int8`.
///
/// The cases are wire formats. `.value` takes a value of any column type, or nil for null: `[.value(order.id),
/// .value(order.amount), .value(order.note), .jsonb(order.details)]`.
public enum Parameter: Sendable, Equatable {
    case null
    /// int8
    case int64(Int64)
    /// int4
    case int32(Int32)
    case bool(Bool)
    /// text, as UTF-8; PostgreSQL refuses U+0000.
    case text(String)
    /// bytea
    case bytes([UInt8])
    /// int8[]
    case int64s([Int64])
    /// text[]; nil is null.
    case texts([String?])

    /// A text, or null.
    public static func optionalText(_ text: String?) -> Parameter {
        text.map(Parameter.text) ?? .null
    }
}

extension Parameter {
    /// Texts, some of which may be null, as one array.
    static func texts(of parameters: some Sequence<Parameter>) -> Parameter {
        .texts(
            parameters.map { parameter in
                switch parameter {
                case .text(let text): text
                case .null: nil
                default: fatalError("\(parameter) among texts")
                }
            })
    }

    var isOptionalText: Bool {
        switch self {
        case .text, .null: true
        default: false
        }
    }

    var isNull: Bool { if case .null = self { true } else { false } }

    /// Size in the binary format; approximate for arrays.
    @inline(__always)
    var byteCount: Int {
        switch self {
        case .null: 0
        case .int64: 8
        case .int32: 4
        case .bool: 1
        case .text(let text): text.utf8.count
        case .bytes(let value): value.count
        case .int64s(let values): 20 + 12 * values.count
        case .texts(let values): values.reduce(20) { $0 + 4 + ($1?.utf8.count ?? 0) }
        }
    }

    /// Appends the value in its binary format; nothing for null.
    func append(to bytes: inout [UInt8]) {
        switch self {
        case .null: break
        case .int64(let value): Self.append(value, to: &bytes)
        case .int32(let value): Self.append(value, to: &bytes)
        case .bool(let value): bytes.append(value ? 1 : 0)
        case .text(let text): bytes.append(contentsOf: text.utf8)
        case .bytes(let value): bytes.append(contentsOf: value)
        case .int64s(let values):
            Self.appendArrayHead(of: .int8, count: values.count, hasNulls: false, to: &bytes)
            bytes.append(addingCapacity: 12 * values.count) { output in
                for value in values {
                    output.append(bigEndian: 8 as Int32)
                    output.append(bigEndian: value)
                }
            }
        case .texts(let values):
            Self.appendArrayHead(of: .text, count: values.count, hasNulls: values.contains(nil), to: &bytes)
            for value in values {
                Self.append(value.map { Int32($0.utf8.count) } ?? -1, to: &bytes)
                if let value { bytes.append(contentsOf: value.utf8) }
            }
        }
    }

    /// Appends the header of an array. The elements follow, each preceded by its length.
    static func appendArrayHead(of type: ColumnType, count: Int, hasNulls: Bool, to bytes: inout [UInt8]) {
        // An empty array has no dimension.
        append(count == 0 ? 0 : 1 as Int32, to: &bytes)
        append(hasNulls ? 1 : 0 as Int32, to: &bytes)
        append(type.oid, to: &bytes)
        guard count > 0 else { return }
        // Its length and its lower bound.
        append(Int32(count), to: &bytes)
        append(1 as Int32, to: &bytes)
    }

    /// In network byte order, written in place, which avoids a copy of the bytes.
    static func append<Number: FixedWidthInteger>(_ number: Number, to bytes: inout [UInt8]) {
        bytes.append(addingCapacity: MemoryLayout<Number>.size) { $0.append(bigEndian: number) }
    }
}
