import HTTP1
public import HTTPTypes

extension App {
    /// Lists a `GET` route in the document that was registered without a declaration: it takes any query, and its handler
    /// answers by itself. That both agree is the caller's promise.
    ///
    /// - Parameters:
    ///   - pattern: of a route of this app.
    ///   - tag: groups operations of one kind.
    ///   - type: what the body of its answer represents.
    ///   - statuses: of further answers with such a body.
    public mutating func describe<Content: Described>(
        _ pattern: String, _ id: String, _ summary: String, tag: String, answer type: Content.Type,
        also statuses: [HTTPResponse.Status] = []
    ) {
        let pattern = prefix + pattern
        precondition(routes.contains { $0.pattern == pattern }, "there is no route \(pattern)")
        let declaration = Declaration(.get, pattern, id, summary, Operation.Success(type), [])
        var operation = declaration.operation(pattern, types: [], query: [], body: nil)
        operation.tag = tag
        operation.alike = statuses
        append(operation)
    }

    /// Adds an operation to those that a document lists; its name must be new.
    mutating func append(_ operation: Operation) {
        precondition(!operations.contains { $0.id == operation.id }, "two operations are named '\(operation.id)'")
        operations.append(operation)
    }
}
