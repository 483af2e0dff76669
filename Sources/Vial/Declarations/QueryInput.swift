public import HTTP1
import HTTPTypes

/// A request's query as one closure that reads its parameters, like `BodyInput`:
/// ```swift
/// static let query = QueryInput { read in
///     PageRequest(limit: read("limit", .int(1...1000), default: 100), after: read("after", .orAbsent(.uuid)))
/// }
/// ```
/// Other parameters, and repeated ones, are refused with 400; all faults of a query are answered together.
public struct QueryInput<Value: Sendable>: Sendable {
    @usableFromInline let parameters: [Schema.Property]
    @usableFromInline let names: Set<String>
    @usableFromInline let make: @Sendable (inout InputReader) -> Value

    public init(_ make: @escaping @Sendable (inout InputReader) -> Value) {
        var reader = InputReader(.recording, nil)
        _ = make(&reader)
        parameters = reader.properties
        names = Set(reader.properties.map(\.name))
        self.make = make
    }

    /// The value of a request's query.
    ///
    /// - Throws: `HTTPError` 400 with all faults.
    @inlinable
    public func read(_ request: Request) throws(HTTPError) -> Value {
        let items = try request.queryItems()
        var reader = InputReader(.parameters(items), names)
        let value = make(&reader)
        if reader.faults.isEmpty && reader.matchedCount == items.count { return value }
        throw HTTPError(query: fault(of: reader, items))
    }

    @usableFromInline
    func fault(of reader: InputReader, _ items: [QueryItems.Item]) -> InputFault {
        InputFault(reader.faults + InputFault.unknown(Set(items.map(\.name)).subtracting(names).sorted()))
    }
}

extension Request {
    /// All parameters of the query, decoded.
    @usableFromInline
    func queryItems() throws(HTTPError) -> [QueryItems.Item] {
        if head.query == nil { return [] }
        var items = QueryItems(head)
        var all: [QueryItems.Item] = []
        do throws(ProtocolError) {
            while let item = try items.next() { all.append(item) }
        } catch { throw HTTPError(.badRequest, error.detail) }
        return all
    }

    /// For a route that declares no parameters.
    ///
    /// - Throws: `HTTPError` 400 when there is one.
    @usableFromInline
    func refuseQuery() throws(HTTPError) {
        if head.query == nil { return }
        let names = Set(try queryItems().map(\.name))
        if names.isEmpty { return }
        throw HTTPError(query: InputFault(InputFault.unknown(names.sorted())))
    }
}
