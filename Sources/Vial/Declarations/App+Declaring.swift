import HTTP1

// What all declared operations have in common; see `App+Operations`.

extension App {
    @inlinable @inline(__always)
    mutating func declare<R: Outcome, each Value: PathParameter & SendableMetatype>(
        _ declaration: Declaration, _ answer: DeclaredAnswer<R.Content>,
        _ handler: @escaping @Sendable (Request, repeat each Value) throws -> R
    ) {
        note(declaration, repeat (each Value).self)
        add(declaration, accepts: .any, parameters: Self.count(repeat (each Value).self)) { request in
            var index = 0
            let values = (repeat try request.nextParameter((each Value).self, &index))
            try request.refuseQuery()
            let path = answer.path(of: request)
            return try handler(request, repeat each values).answer(answer, path: path)
        }
    }

    @inlinable
    mutating func declare<R: Outcome, each Value: PathParameter & SendableMetatype>(
        _ declaration: Declaration, _ answer: DeclaredAnswer<R.Content>,
        _ handler: @escaping @Sendable (Request, repeat each Value) async throws -> R
    ) {
        note(declaration, repeat (each Value).self)
        add(declaration, accepts: .any, parameters: Self.count(repeat (each Value).self)) { request in
            var index = 0
            let values = (repeat try request.nextParameter((each Value).self, &index))
            try request.refuseQuery()
            let path = answer.path(of: request)
            return .task { try await handler(request, repeat each values).answer(answer, path: path) }
        }
    }

    @inlinable @inline(__always)
    mutating func declare<Input, R: Outcome, each Value: PathParameter & SendableMetatype>(
        _ declaration: Declaration, _ input: QueryInput<Input>, _ answer: DeclaredAnswer<R.Content>,
        _ handler: @escaping @Sendable (Request, Input, repeat each Value) throws -> R
    ) {
        note(declaration, query: input.parameters, repeat (each Value).self)
        add(declaration, accepts: .any, parameters: Self.count(repeat (each Value).self)) { request in
            var index = 0
            let values = (repeat try request.nextParameter((each Value).self, &index))
            let path = answer.path(of: request)
            return try handler(request, input.read(request), repeat each values).answer(answer, path: path)
        }
    }

    @inlinable
    mutating func declare<Input, R: Outcome, each Value: PathParameter & SendableMetatype>(
        _ declaration: Declaration, _ input: QueryInput<Input>, _ answer: DeclaredAnswer<R.Content>,
        _ handler: @escaping @Sendable (Request, Input, repeat each Value) async throws -> R
    ) {
        note(declaration, query: input.parameters, repeat (each Value).self)
        add(declaration, accepts: .any, parameters: Self.count(repeat (each Value).self)) { request in
            var index = 0
            let values = (repeat try request.nextParameter((each Value).self, &index))
            let value = try input.read(request)
            let path = answer.path(of: request)
            return .task { try await handler(request, value, repeat each values).answer(answer, path: path) }
        }
    }

    @inlinable @inline(__always)
    mutating func declare<Input, R: Outcome, each Value: PathParameter & SendableMetatype>(
        _ declaration: Declaration, _ input: BodyInput<Input>, _ answer: DeclaredAnswer<R.Content>,
        _ handler: @escaping @Sendable (Request, Input, repeat each Value) throws -> R
    ) {
        note(declaration, body: input.description, repeat (each Value).self)
        add(declaration, accepts: input.content, parameters: Self.count(repeat (each Value).self)) { request in
            var index = 0
            let values = (repeat try request.nextParameter((each Value).self, &index))
            try request.refuseQuery()
            let path = answer.path(of: request)
            return try handler(request, input.read(request), repeat each values).answer(answer, path: path)
        }
    }

    @inlinable
    mutating func declare<Input, R: Outcome, each Value: PathParameter & SendableMetatype>(
        _ declaration: Declaration, _ input: BodyInput<Input>, _ answer: DeclaredAnswer<R.Content>,
        _ handler: @escaping @Sendable (Request, Input, repeat each Value) async throws -> R
    ) {
        note(declaration, body: input.description, repeat (each Value).self)
        add(declaration, accepts: input.content, parameters: Self.count(repeat (each Value).self)) { request in
            var index = 0
            let values = (repeat try request.nextParameter((each Value).self, &index))
            try request.refuseQuery()
            let value = try input.read(request)
            let path = answer.path(of: request)
            return .task { try await handler(request, value, repeat each values).answer(answer, path: path) }
        }
    }

    /// Adds an operation to those that a document lists.
    @usableFromInline
    mutating func note<each Value: PathParameter & SendableMetatype>(
        _ declaration: Declaration, query: [Schema.Property] = [], body: Operation.Body? = nil,
        _ types: repeat (each Value).Type
    ) {
        var all: [any PathParameter.Type] = []
        for type in repeat each types { all.append(type) }
        let pattern = prefix + declaration.pattern
        append(declaration.operation(pattern, types: all, query: query, body: body))
    }

    @usableFromInline
    mutating func add(
        _ declaration: Declaration, accepts content: Content, parameters count: Int,
        _ handler: @escaping @Sendable (Request) throws -> Answer
    ) {
        let types = declaration.success.schema == nil ? [] : [declaration.success.mediaType]
        add(
            declaration.method, declaration.pattern, accepts: content, offering: types, parameters: count, handler)
    }
}
