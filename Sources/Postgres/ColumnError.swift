/// Why the bytes of a field cannot be decoded as the requested Swift type.
public enum ColumnError: Error, Equatable, Sendable {
    /// Wrong length, for a type of fixed width.
    case byteCount(Int, expected: Int)
    /// A null in an array whose elements are not optional.
    case nullElement
    /// Anything else, as a predicate of the column, such as "is infinity". Must not quote the value.
    case invalid(String)
}

extension ColumnError: CustomStringConvertible {
    /// A predicate of the column: "has 4 bytes, not 8".
    public var description: String {
        switch self {
        case .byteCount(let count, let expected): "has \(count) bytes, not \(expected)"
        case .nullElement: "has a null among its elements"
        case .invalid(let what): what
        }
    }
}
