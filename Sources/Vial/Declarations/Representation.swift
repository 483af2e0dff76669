public import HTTPTypes

/// A type whose JSON a document describes.
public protocol Described: SendableMetatype {
    static var schema: Schema { get }
    /// Whether an answer has a body.
    static var hasBody: Bool { get }
    /// The body's.
    static var mediaType: String { get }
}

extension Described {
    public static var hasBody: Bool { true }
    public static var mediaType: String { "application/json" }
}

/// A type that an answer carries as JSON. The JSON is that of `Answer.json`: the type is `JSONRepresentable` or
/// `Encodable`, and besides its schema nothing needs to be written.
public protocol Representation: Described, Outcome, Sendable {
    /// The answer with this value as its body.
    func answer(status: HTTPResponse.Status) throws -> Answer
}

extension Representation {
    @inlinable
    public func answer(_ declared: DeclaredAnswer<Self>, path: String?) throws -> Answer {
        let answer = try answer(status: declared.status)
        guard let locate = declared.locate, let path else { return answer }
        return try answer.location(path + "/" + locate(self))
    }
}

extension Representation where Self: JSONRepresentable {
    @inlinable
    public func answer(status: HTTPResponse.Status) throws -> Answer { try .json(self, status: status) }
}

extension Representation where Self: Encodable {
    @inlinable
    public func answer(status: HTTPResponse.Status) throws -> Answer { try .json(self, status: status) }
}

extension Representation where Self: JSONRepresentable & Encodable {
    @inlinable
    public func answer(status: HTTPResponse.Status) throws -> Answer { try .json(self, status: status) }
}

/// An answer without a body: 204.
public struct NoContent: Representation {
    public static var schema: Schema { Schema([:]) }
    public static var hasBody: Bool { false }

    public init() {}

    public func answer(status: HTTPResponse.Status) -> Answer { Answer(status: status) }
}
