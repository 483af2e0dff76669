public import FoundationEssentials

// Each uses the binary format of the type's `send` and `recv` functions (src/backend/utils/adt), with numbers in
// network byte order.

extension Span<UInt8> {
    /// The number at `offset`, in network byte order. The bytes must be there.
    func number<Number: FixedWidthInteger>(at offset: Int, as type: Number.Type = Number.self) -> Number {
        var number: Number = 0
        for index in offset..<offset + MemoryLayout<Number>.size {
            number = (number &<< 8) | Number(truncatingIfNeeded: self[index])
        }
        return number
    }

    /// The number that consists of exactly these bytes.
    func number<Number: FixedWidthInteger>(as type: Number.Type = Number.self) throws(ColumnError) -> Number {
        let size = MemoryLayout<Number>.size
        guard count == size else { throw .byteCount(count, expected: size) }
        return number(at: 0)
    }
}

/// bool
extension Bool: ColumnValue, ArrayElement {
    public static var columnType: ColumnType { .bool }

    public init(binary bytes: Span<UInt8>) throws(ColumnError) {
        self = try bytes.number(as: UInt8.self) != 0
    }

    public var parameter: Parameter { .bool(self) }
}

/// int2
extension Int16: ColumnValue, ArrayElement {
    public static var columnType: ColumnType { .int2 }

    public init(binary bytes: Span<UInt8>) throws(ColumnError) {
        self = try bytes.number()
    }

    public var parameter: Parameter {
        .bytes([UInt8(truncatingIfNeeded: self >> 8), UInt8(truncatingIfNeeded: self)])
    }
}

/// int4
extension Int32: ColumnValue, ArrayElement {
    public static var columnType: ColumnType { .int4 }

    public init(binary bytes: Span<UInt8>) throws(ColumnError) {
        self = try bytes.number()
    }

    public var parameter: Parameter { .int32(self) }
}

/// int8
extension Int64: ColumnValue, ArrayElement {
    public static var columnType: ColumnType { .int8 }

    public init(binary bytes: Span<UInt8>) throws(ColumnError) {
        self = try bytes.number()
    }

    public var parameter: Parameter { .int64(self) }
}

/// int8
extension Int: ColumnValue, ArrayElement {
    public static var columnType: ColumnType { .int8 }

    public init(binary bytes: Span<UInt8>) throws(ColumnError) {
        self = Int(try bytes.number(as: Int64.self))
    }

    public var parameter: Parameter { .int64(Int64(self)) }
}

/// float8, including NaN and the infinities.
extension Double: ColumnValue, ArrayElement {
    public static var columnType: ColumnType { .float8 }

    public init(binary bytes: Span<UInt8>) throws(ColumnError) {
        self.init(bitPattern: try bytes.number())
    }

    /// Sent like an int8: eight bytes in network byte order.
    public var parameter: Parameter { .int64(Int64(bitPattern: bitPattern)) }
}

/// text, as UTF-8; PostgreSQL refuses U+0000. Bytes that are not UTF-8, which a database with encoding SQL_ASCII may
/// return, are an error; `Row.text` repairs them.
extension String: ColumnValue, ArrayElement {
    public static var columnType: ColumnType { .text }

    /// Types whose binary format is their text. For user-defined types this is unknown; for enums it is true.
    public static func reads(_ type: ColumnType) -> Bool {
        switch type {
        case .text, .varchar, .bpchar, .name, .json, .unknown: true
        default: type.isUserDefined
        }
    }

    public init(binary bytes: Span<UInt8>) throws(ColumnError) {
        do {
            self.init(copying: try UTF8Span(validating: bytes))
        } catch {
            throw .invalid("is not UTF-8")
        }
    }

    public var parameter: Parameter { .text(self) }
}

/// uuid: its 16 bytes.
extension UUID: ColumnValue, ArrayElement {
    public static var columnType: ColumnType { .uuid }

    public init(binary bytes: Span<UInt8>) throws(ColumnError) {
        guard bytes.count == 16 else { throw .byteCount(bytes.count, expected: 16) }
        self.init(
            uuid: (
                bytes[0], bytes[1], bytes[2], bytes[3], bytes[4], bytes[5], bytes[6], bytes[7],
                bytes[8], bytes[9], bytes[10], bytes[11], bytes[12], bytes[13], bytes[14], bytes[15]
            ))
    }

    public var parameter: Parameter {
        let (a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p) = uuid
        return .bytes([a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p])
    }
}
