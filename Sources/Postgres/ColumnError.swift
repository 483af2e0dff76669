/// Why a field's bytes are no value of the Swift type that was asked for.
public enum ColumnError: Error, Equatable, Sendable {
    /// Of a type whose values all have one width.
    case byteCount(Int, expected: Int)
    /// A null in an array whose elements cannot be nil.
    case nullElement
    /// Anything else: what is said of the column, such as "is infinity". It must not quote the value.
    case invalid(String)
}

extension ColumnError: CustomStringConvertible {
    /// What is said of the column: "has 4 bytes, not 8".
    public var description: String {
        switch self {
        case .byteCount(let count, let expected): "has \(count) bytes, not \(expected)"
        case .nullElement: "has a null among its elements"
        case .invalid(let what): what
        }
    }
}
