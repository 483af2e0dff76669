import HTTPTypes

/// A request's body, a JSON object, as one closure that reads its members:
/// ```swift
/// static let body = BodyInput("NewOrder") { read in
///     NewOrder(customer: read("customer", .text(1...200)), details: read("details", .orNull(.object(Details.body))))
/// }
/// ```
/// The closure runs once without a request, which yields the members' names and schemas, and then for each request. A
/// body with other members is refused, and all faults of a body are answered together.
public struct BodyInput<Value: Sendable>: Sendable {
    /// The members, for the schema of an answer that has them too.
    public let properties: [Schema.Property]
    let schema: Schema
    /// The value of the members' examples.
    let example: Value
    let mediaType: String
    @usableFromInline let names: Set<String>
    @usableFromInline let make: @Sendable (inout InputReader) -> Value

    /// - Parameters:
    ///   - name: of the schema in a document: letters and digits.
    ///   - mediaType: in the document. A route accepts every JSON type, except for `application/merge-patch+json`, beside
    ///     which it accepts `application/json` alone.
    public init(
        _ name: String, mediaType: String = "application/json",
        _ make: @escaping @Sendable (inout InputReader) -> Value
    ) {
        var reader = InputReader(.recording, nil)
        example = make(&reader)
        properties = reader.properties
        schema = .object(name, reader.properties, isClosed: true)
        names = Set(reader.properties.map(\.name))
        self.mediaType = mediaType
        self.make = make
    }

    /// The value of a request's body.
    ///
    /// - Throws: `HTTPError` 400 when the body is not JSON, 422 with all faults when it breaks rules.
    @inlinable
    public func read(_ request: Request) throws(HTTPError) -> Value {
        guard let members = try request.members() else {
            throw HTTPError.notObject
        }
        do throws(InputFault) { return try read(members) } catch { throw HTTPError(body: error) }
    }

    @inlinable
    func read(_ members: JSONMembers) throws(InputFault) -> Value {
        var reader = InputReader(.members(members), names)
        let value = make(&reader)
        if reader.faults.isEmpty && reader.matchedCount == members.count { return value }
        throw fault(of: reader, members)
    }

    @usableFromInline
    func fault(of reader: InputReader, _ members: JSONMembers) -> InputFault {
        InputFault(reader.faults + InputFault.unknown(members.names.filter { !names.contains($0) }))
    }

    /// What a route with this body accepts.
    @usableFromInline var content: App.Content { mediaType == "application/merge-patch+json" ? .mergePatch : .json }

    /// What a document says about it.
    @usableFromInline var description: Operation.Body { Operation.Body(schema: schema, mediaType: mediaType) }
}

extension HTTPError {
    /// Faults that one answer lists: as many as a person reads.
    private static let faultLimit = 100

    @usableFromInline static var notObject: HTTPError {
        HTTPError(.unprocessableContent, "The body must be an object.")
    }

    /// The answer to a body that breaks rules.
    @usableFromInline
    init(body fault: InputFault) {
        self.init(
            .unprocessableContent, "The body breaks a rule.",
            errors: fault.items.prefix(Self.faultLimit).map { FieldError(path: $0.path, message: $0.message) })
    }

    /// The answer to a query that breaks rules.
    @usableFromInline
    init(query fault: InputFault) {
        let sentences = fault.items.prefix(Self.faultLimit).map { item in
            "Query parameter \(item.path.joined(separator: ".")) \(item.message)."
        }
        self.init(.badRequest, sentences.joined(separator: " "))
    }
}
