public import HTTP1

// Declared operations: a route, the checks of its input and its part of the document by one call. The handler takes the
// request, the input if one is declared, and the values of the path's parameters; the type that it returns, an `Outcome`,
// is what the document promises. A query is refused with 400 where none is declared.
//
// Inlined like the routes without a declaration.

extension App {
    /// Registers an operation that reads. It also serves HEAD.
    @inlinable @inline(__always)
    public mutating func get<R: Outcome, each Value: PathParameter & SendableMetatype>(
        _ pattern: String, _ id: String, _ summary: String, answer: DeclaredAnswer<R.Content> = .ok,
        traits: [Trait] = [],
        _ handler: @escaping @Sendable (Request, repeat each Value) throws -> R
    ) {
        declare(.init(.get, pattern, id, summary, .init(answer, of: R.self), traits), answer, handler)
    }

    /// Registers an operation that reads, with a handler that runs in a task.
    @inlinable
    public mutating func get<R: Outcome, each Value: PathParameter & SendableMetatype>(
        _ pattern: String, _ id: String, _ summary: String, answer: DeclaredAnswer<R.Content> = .ok,
        traits: [Trait] = [],
        _ handler: @escaping @Sendable (Request, repeat each Value) async throws -> R
    ) {
        declare(.init(.get, pattern, id, summary, .init(answer, of: R.self), traits), answer, handler)
    }

    /// Registers an operation that reads. It also serves HEAD.
    @inlinable @inline(__always)
    public mutating func get<Input, R: Outcome, each Value: PathParameter & SendableMetatype>(
        _ pattern: String, _ id: String, _ summary: String, query input: QueryInput<Input>,
        answer: DeclaredAnswer<R.Content> = .ok,
        traits: [Trait] = [],
        _ handler: @escaping @Sendable (Request, Input, repeat each Value) throws -> R
    ) {
        declare(.init(.get, pattern, id, summary, .init(answer, of: R.self), traits), input, answer, handler)
    }

    /// Registers an operation that reads, with a handler that runs in a task.
    @inlinable
    public mutating func get<Input, R: Outcome, each Value: PathParameter & SendableMetatype>(
        _ pattern: String, _ id: String, _ summary: String, query input: QueryInput<Input>,
        answer: DeclaredAnswer<R.Content> = .ok,
        traits: [Trait] = [],
        _ handler: @escaping @Sendable (Request, Input, repeat each Value) async throws -> R
    ) {
        declare(.init(.get, pattern, id, summary, .init(answer, of: R.self), traits), input, answer, handler)
    }

    /// Registers an operation.
    @inlinable @inline(__always)
    public mutating func post<R: Outcome, each Value: PathParameter & SendableMetatype>(
        _ pattern: String, _ id: String, _ summary: String, answer: DeclaredAnswer<R.Content> = .ok,
        traits: [Trait] = [],
        _ handler: @escaping @Sendable (Request, repeat each Value) throws -> R
    ) {
        declare(.init(.post, pattern, id, summary, .init(answer, of: R.self), traits), answer, handler)
    }

    /// Registers an operation. The handler runs in a task.
    @inlinable
    public mutating func post<R: Outcome, each Value: PathParameter & SendableMetatype>(
        _ pattern: String, _ id: String, _ summary: String, answer: DeclaredAnswer<R.Content> = .ok,
        traits: [Trait] = [],
        _ handler: @escaping @Sendable (Request, repeat each Value) async throws -> R
    ) {
        declare(.init(.post, pattern, id, summary, .init(answer, of: R.self), traits), answer, handler)
    }

    /// Registers an operation.
    @inlinable @inline(__always)
    public mutating func post<Input, R: Outcome, each Value: PathParameter & SendableMetatype>(
        _ pattern: String, _ id: String, _ summary: String, body input: BodyInput<Input>,
        answer: DeclaredAnswer<R.Content> = .ok,
        traits: [Trait] = [],
        _ handler: @escaping @Sendable (Request, Input, repeat each Value) throws -> R
    ) {
        declare(.init(.post, pattern, id, summary, .init(answer, of: R.self), traits), input, answer, handler)
    }

    /// Registers an operation. The handler runs in a task.
    @inlinable
    public mutating func post<Input, R: Outcome, each Value: PathParameter & SendableMetatype>(
        _ pattern: String, _ id: String, _ summary: String, body input: BodyInput<Input>,
        answer: DeclaredAnswer<R.Content> = .ok,
        traits: [Trait] = [],
        _ handler: @escaping @Sendable (Request, Input, repeat each Value) async throws -> R
    ) {
        declare(.init(.post, pattern, id, summary, .init(answer, of: R.self), traits), input, answer, handler)
    }

    /// Registers an operation.
    @inlinable @inline(__always)
    public mutating func put<Input, R: Outcome, each Value: PathParameter & SendableMetatype>(
        _ pattern: String, _ id: String, _ summary: String, body input: BodyInput<Input>,
        answer: DeclaredAnswer<R.Content> = .ok,
        traits: [Trait] = [],
        _ handler: @escaping @Sendable (Request, Input, repeat each Value) throws -> R
    ) {
        declare(.init(.put, pattern, id, summary, .init(answer, of: R.self), traits), input, answer, handler)
    }

    /// Registers an operation. The handler runs in a task.
    @inlinable
    public mutating func put<Input, R: Outcome, each Value: PathParameter & SendableMetatype>(
        _ pattern: String, _ id: String, _ summary: String, body input: BodyInput<Input>,
        answer: DeclaredAnswer<R.Content> = .ok,
        traits: [Trait] = [],
        _ handler: @escaping @Sendable (Request, Input, repeat each Value) async throws -> R
    ) {
        declare(.init(.put, pattern, id, summary, .init(answer, of: R.self), traits), input, answer, handler)
    }

    /// Registers an operation.
    @inlinable @inline(__always)
    public mutating func patch<Input, R: Outcome, each Value: PathParameter & SendableMetatype>(
        _ pattern: String, _ id: String, _ summary: String, body input: BodyInput<Input>,
        answer: DeclaredAnswer<R.Content> = .ok,
        traits: [Trait] = [],
        _ handler: @escaping @Sendable (Request, Input, repeat each Value) throws -> R
    ) {
        declare(.init(.patch, pattern, id, summary, .init(answer, of: R.self), traits), input, answer, handler)
    }

    /// Registers an operation. The handler runs in a task.
    @inlinable
    public mutating func patch<Input, R: Outcome, each Value: PathParameter & SendableMetatype>(
        _ pattern: String, _ id: String, _ summary: String, body input: BodyInput<Input>,
        answer: DeclaredAnswer<R.Content> = .ok,
        traits: [Trait] = [],
        _ handler: @escaping @Sendable (Request, Input, repeat each Value) async throws -> R
    ) {
        declare(.init(.patch, pattern, id, summary, .init(answer, of: R.self), traits), input, answer, handler)
    }

    /// Registers an operation.
    @inlinable @inline(__always)
    public mutating func delete<R: Outcome, each Value: PathParameter & SendableMetatype>(
        _ pattern: String, _ id: String, _ summary: String, answer: DeclaredAnswer<R.Content> = .ok,
        traits: [Trait] = [],
        _ handler: @escaping @Sendable (Request, repeat each Value) throws -> R
    ) {
        declare(.init(.delete, pattern, id, summary, .init(answer, of: R.self), traits), answer, handler)
    }

    /// Registers an operation. The handler runs in a task.
    @inlinable
    public mutating func delete<R: Outcome, each Value: PathParameter & SendableMetatype>(
        _ pattern: String, _ id: String, _ summary: String, answer: DeclaredAnswer<R.Content> = .ok,
        traits: [Trait] = [],
        _ handler: @escaping @Sendable (Request, repeat each Value) async throws -> R
    ) {
        declare(.init(.delete, pattern, id, summary, .init(answer, of: R.self), traits), answer, handler)
    }
}
