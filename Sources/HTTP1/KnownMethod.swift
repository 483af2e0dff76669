import Formatting

/// The methods that the server itself handles, recognised while a head is parsed: those of RFC 9110 §9.3 and PATCH (RFC
/// 5789).
public enum KnownMethod: UInt8, CaseIterable, Sendable {
    case get, head, post, put, patch, delete, options, trace, connect

    /// As sent; methods are case-sensitive (RFC 9110 §9.1).
    public var name: StaticString {
        switch self {
        case .get: "GET"
        case .head: "HEAD"
        case .post: "POST"
        case .put: "PUT"
        case .patch: "PATCH"
        case .delete: "DELETE"
        case .options: "OPTIONS"
        case .trace: "TRACE"
        case .connect: "CONNECT"
        }
    }

    /// The method whose name is at `range` of `bytes`.
    @inline(__always)
    static func recognize(_ range: Range<Int>, in bytes: Span<UInt8>) -> KnownMethod? {
        for method in allMethods where bytes.extracting(range).equals(method.name) { return method }
        return nil
    }

    // `allCases` would be created again at each use.
    private static let allMethods = allCases
}
