public import HTTPTypes

/// What the handler of a declared operation returns: a value that has a `Representation`; an optional one, where nil is
/// answered with 404; a query for either; or a finished answer, as `AnswerOf`. The type says what the document promises.
public protocol Outcome: SendableMetatype {
    associatedtype Content: Described = Self
    /// Whether there may be nothing: the document has 404 then.
    static var isOptional: Bool { get }
    /// - Parameter path: the request's, where a `Location` is made from it.
    __consuming func answer(_ declared: DeclaredAnswer<Content>, path: String?) throws -> Answer
}

extension Outcome {
    public static var isOptional: Bool { false }
}

extension Optional: Outcome where Wrapped: Representation {
    public typealias Content = Wrapped
    public static var isOptional: Bool { true }

    @inlinable
    public func answer(_ declared: DeclaredAnswer<Wrapped>, path: String?) throws -> Answer {
        guard let value = self else { throw HTTPError(.notFound, declared.missing) }
        return try value.answer(declared, path: path)
    }
}

/// An answer that the handler made itself, and the type that its body represents. Nothing is added to it; that it is what
/// was declared is the handler's promise.
public struct AnswerOf<Content: Described>: Outcome {
    @usableFromInline let answer: Answer

    @inlinable
    init(_ answer: Answer) {
        self.answer = answer
    }

    @inlinable
    public __consuming func answer(_ declared: DeclaredAnswer<Content>, path: String?) -> Answer { answer }
}

extension Answer {
    /// For a declared operation: this answer's body is a `Content`.
    @inlinable
    public func representing<Content>(_: Content.Type) -> AnswerOf<Content> { AnswerOf(self) }
}

/// What an operation answers when it succeeds.
public final class DeclaredAnswer<Content: Described>: Sendable {
    public let status: HTTPResponse.Status
    /// The sentence of the 404 for a nil.
    @usableFromInline let missing: String
    /// The last segment of `Location`; nil: there is no such field.
    @usableFromInline let locate: (@Sendable (Content) -> String)?
    @usableFromInline let isLocated: Bool

    init(_ status: HTTPResponse.Status, missing: String, locate: (@Sendable (Content) -> String)? = nil) {
        self.status = status
        self.missing = missing
        self.locate = locate
        isLocated = locate != nil
    }

    /// The path to pass to `Outcome.answer`.
    @inlinable
    func path(of request: Request) -> String? { isLocated ? request.path : nil }

    /// 200, or 204 without a body.
    public static var ok: DeclaredAnswer { .ok(missing: "There is no such resource.") }

    /// 200, or 204 without a body.
    ///
    /// - Parameter missing: the sentence of the 404 that answers a nil.
    public static func ok(missing: String) -> DeclaredAnswer {
        DeclaredAnswer(Content.hasBody ? .ok : .noContent, missing: missing)
    }

    /// 201 with a `Location`: the request's path, followed by what `id` gives.
    public static func created<ID: CustomStringConvertible & SendableMetatype>(
        at id: @escaping @Sendable (Content) -> ID
    ) -> DeclaredAnswer {
        DeclaredAnswer(.created, missing: "There is no such resource.") { id($0).description }
    }

    /// Another status.
    public static func status(_ status: HTTPResponse.Status) -> DeclaredAnswer {
        DeclaredAnswer(status, missing: "There is no such resource.")
    }
}
