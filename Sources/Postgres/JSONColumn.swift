import Formatting
import FoundationEssentials

// jsonb's binary format is a version byte, 1, and the JSON as text (`jsonb_send` and `jsonb_recv` in
// src/backend/utils/adt/jsonb.c); json's is the text alone.

/// The version of jsonb's binary format.
private let version: UInt8 = 1

extension Parameter {
    /// A value as jsonb, nil as null. The statement casts it: `$4::jsonb`. A `Date` is written as in RFC 3339, to the
    /// second. PostgreSQL refuses U+0000 in it.
    ///
    /// - Throws: `EncodingError` of `JSONEncoder`, for instance for an infinite number.
    public static func jsonb<Value: Encodable>(_ value: Value?) throws -> Parameter {
        guard let value else { return .null }
        return .bytes([version] + (try JSONEncoder.writingDates().encode(value)))
    }
}

extension Row {
    /// The value of a jsonb or json column that is never null.
    ///
    /// - Throws: `DatabaseError.unexpectedResult` with the column and the path in the JSON if the column is missing,
    ///   null or of another type, or if its JSON cannot be decoded.
    public func json<Value: Decodable>(_ column: Int, as type: Value.Type = Value.self) throws(DatabaseError) -> Value {
        guard let value = try json(column, as: Value?.self) else {
            throw .unexpectedResult("column \(column) is null")
        }
        return value
    }

    /// The value of a jsonb or json column; nil for null and for JSON's own null.
    ///
    /// - Throws: `DatabaseError.unexpectedResult` with the column and the path in the JSON if the column is missing or
    ///   of another type, or if its JSON cannot be decoded.
    public func json<Value: Decodable>(
        _ column: Int, as type: Value?.Type = Value?.self
    ) throws(DatabaseError) -> Value? {
        let columnType = try execution.type(index, column)
        guard columnType == .jsonb || columnType == .json else {
            throw .unexpectedResult("column \(column) is \(columnType), not jsonb")
        }
        return try execution.withBytes(index, column) { (bytes) throws(DatabaseError) in
            let isBinary = columnType == .jsonb
            guard !isBinary || (bytes.count > 0 && bytes[0] == version) else {
                throw DatabaseError.unexpectedResult("column \(column) is no jsonb of version \(version)")
            }
            let text = bytes.extracting((isBinary ? 1 : 0)...)
            do {
                // Copied by `Data` before the call returns.
                let data = unsafe text.withUnsafeBufferPointer { unsafe Data($0) }
                return try JSONDecoder.readingDates().decode(type, from: data)
            } catch {
                throw DatabaseError.unexpectedResult(
                    "column \(column) is no \(Value.self)\((error as? DecodingError)?.place ?? "")")
            }
        } ?? nil
    }
}

extension DecodingError {
    /// The path in the JSON at which decoding failed: " at items[2].name". Does not contain the value.
    fileprivate var place: String {
        let path: [any CodingKey] =
            switch self {
            case .typeMismatch(_, let context), .valueNotFound(_, let context), .dataCorrupted(let context):
                context.codingPath
            case .keyNotFound(let key, let context): context.codingPath + [key]
            @unknown default: []
            }
        var text = ""
        for key in path {
            if let index = key.intValue {
                text += "[\(index)]"
            } else {
                text += text.isEmpty ? key.stringValue : ".\(key.stringValue)"
            }
        }
        return text.isEmpty ? "" : " at \(text)"
    }
}
