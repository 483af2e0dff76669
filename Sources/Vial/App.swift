public import HTTP1
import HTTPTypes
import Reactor

/// A function behind a route, as the router keeps it.
typealias Handler = @Sendable (Request) throws -> Answer
/// A function that looks at a request before its handler does, and throws to refuse it.
public typealias Hook = @Sendable (Request) throws -> Void

/// The application as a value: routes and what becomes of errors. A server calls it for every request; a test does so
/// without a socket: `await app.respond(to: Request(.get, "/api/orders"))`.
///
/// A handler takes the request and the values of the path's parameters, and returns its answer:
/// ```swift
/// app.get("/api/orders/{order}/lines/{line}") { (request, order: Int64, line: String) in … }
/// ```
/// A segment that is no value of its parameter's type makes the route not match: 404. An `async` handler runs as a task; any
/// other is called while the request is read, and must not block.
public struct App: Sendable {
    /// What a request's body must be.
    public enum Content: Sendable {
        /// Declared as JSON, in UTF-8 and without a content coding; else it is refused with 415 before it is read.
        case json
        /// Anything, or nothing.
        case any
    }

    /// Put in front of every pattern: empty, or `/x` without a slash at the end.
    public let basePath: String
    /// Of the group that is being built: in front of its patterns, and before its handlers.
    private var prefix = ""
    private var hooks: [Hook] = []
    private var router = Router()
    private var errorRules: [@Sendable (any Error, Request) -> HTTPError?] = []

    /// - Parameter basePath: put in front of every pattern: empty, or `/x` without a slash at the end.
    public init(basePath: String = "") {
        self.basePath = basePath
    }

    /// Every registered route, in order; the labels of metrics.
    public var routes: [Route] { router.routes }

    /// Registers a handler. A GET route answers HEAD too.
    @inlinable @inline(__always)
    public mutating func get<each Value: PathParameter & SendableMetatype>(
        _ pattern: String, _ handler: @escaping @Sendable (Request, repeat each Value) throws -> Answer
    ) {
        on(.get, pattern, handler)
    }

    /// Registers a handler that runs as a task. A GET route answers HEAD too.
    public mutating func get<each Value: PathParameter & SendableMetatype>(
        _ pattern: String, _ handler: @escaping @Sendable (Request, repeat each Value) async throws -> Answer
    ) {
        on(.get, pattern, handler)
    }

    /// Registers a handler.
    @inlinable @inline(__always)
    public mutating func post<each Value: PathParameter & SendableMetatype>(
        _ pattern: String, accepts content: Content = .json,
        _ handler: @escaping @Sendable (Request, repeat each Value) throws -> Answer
    ) {
        on(.post, pattern, accepts: content, handler)
    }

    /// Registers a handler that runs as a task.
    public mutating func post<each Value: PathParameter & SendableMetatype>(
        _ pattern: String, accepts content: Content = .json,
        _ handler: @escaping @Sendable (Request, repeat each Value) async throws -> Answer
    ) {
        on(.post, pattern, accepts: content, handler)
    }

    /// Registers a handler.
    @inlinable @inline(__always)
    public mutating func put<each Value: PathParameter & SendableMetatype>(
        _ pattern: String, accepts content: Content = .json,
        _ handler: @escaping @Sendable (Request, repeat each Value) throws -> Answer
    ) {
        on(.put, pattern, accepts: content, handler)
    }

    /// Registers a handler that runs as a task.
    public mutating func put<each Value: PathParameter & SendableMetatype>(
        _ pattern: String, accepts content: Content = .json,
        _ handler: @escaping @Sendable (Request, repeat each Value) async throws -> Answer
    ) {
        on(.put, pattern, accepts: content, handler)
    }

    /// Registers a handler.
    @inlinable @inline(__always)
    public mutating func patch<each Value: PathParameter & SendableMetatype>(
        _ pattern: String, accepts content: Content = .json,
        _ handler: @escaping @Sendable (Request, repeat each Value) throws -> Answer
    ) {
        on(.patch, pattern, accepts: content, handler)
    }

    /// Registers a handler that runs as a task.
    public mutating func patch<each Value: PathParameter & SendableMetatype>(
        _ pattern: String, accepts content: Content = .json,
        _ handler: @escaping @Sendable (Request, repeat each Value) async throws -> Answer
    ) {
        on(.patch, pattern, accepts: content, handler)
    }

    /// Registers a handler. Its request may have a body, which nothing is asked of.
    @inlinable @inline(__always)
    public mutating func delete<each Value: PathParameter & SendableMetatype>(
        _ pattern: String, _ handler: @escaping @Sendable (Request, repeat each Value) throws -> Answer
    ) {
        on(.delete, pattern, handler)
    }

    /// Registers a handler that runs as a task.
    public mutating func delete<each Value: PathParameter & SendableMetatype>(
        _ pattern: String, _ handler: @escaping @Sendable (Request, repeat each Value) async throws -> Answer
    ) {
        on(.delete, pattern, handler)
    }

    // Inlined where the parameters' types are known: code for any type takes several times the instructions.
    @inlinable @inline(__always)
    mutating func on<each Value: PathParameter & SendableMetatype>(
        _ method: KnownMethod, _ pattern: String, accepts content: Content = .any,
        _ handler: @escaping @Sendable (Request, repeat each Value) throws -> Answer
    ) {
        add(method, pattern, accepts: content, parameters: Self.count(repeat (each Value).self)) { request in
            var index = 0
            return try handler(request, repeat try request.nextParameter((each Value).self, &index))
        }
    }

    private mutating func on<each Value: PathParameter & SendableMetatype>(
        _ method: KnownMethod, _ pattern: String, accepts content: Content = .any,
        _ handler: @escaping @Sendable (Request, repeat each Value) async throws -> Answer
    ) {
        add(method, pattern, accepts: content, parameters: Self.count(repeat (each Value).self)) { request in
            var index = 0
            let values = (repeat try request.nextParameter((each Value).self, &index))
            return .task { try await handler(request, repeat each values) }
        }
    }

    @usableFromInline
    static func count<each Value>(_ types: repeat (each Value).Type) -> Int {
        var count = 0
        for _ in repeat each types { count += 1 }
        return count
    }

    /// - Parameter count: of the values that the handler takes: all of the path's.
    @usableFromInline
    mutating func add(
        _ method: KnownMethod, _ pattern: String, accepts content: Content, parameters count: Int,
        _ handler: @escaping @Sendable (Request) throws -> Answer
    ) {
        precondition(pattern.isEmpty || pattern.hasPrefix("/"), "pattern \(pattern) does not begin with a slash")
        let whole = prefix + pattern
        let inPath = whole.split(separator: "/").count { $0.hasPrefix("{") }
        precondition(count == inPath, "the handler of \(whole) takes \(count) of its \(inPath) parameters")
        router.add(method, whole, base: basePath, Router.Target(handler: handler, hooks: hooks, content: content))
    }

    /// Registers what `build` does with a prefix in front of every pattern. Its hooks are those that are there already and its
    /// own, which end with it.
    ///
    /// - Parameter prefix: empty, or `/x` without a slash at the end; its parameters are the first of the handlers'.
    public mutating func group(_ prefix: String = "", _ build: (inout App) throws -> Void) rethrows {
        precondition(
            prefix.isEmpty || prefix.hasPrefix("/") && !prefix.hasSuffix("/"),
            "prefix \(prefix) does not begin with a slash, or ends with one")
        let outer = (prefix: self.prefix, hooks: hooks)
        self.prefix += prefix
        defer { (self.prefix, hooks) = outer }
        try build(&self)
    }

    /// Has `hook` look at every request for a route that is registered after it in the same group, once the head is read and
    /// before the body is. What it throws is the answer. Several run in the order in which they were added.
    ///
    /// 404, 405 and the answer to OPTIONS come from the router, without a hook.
    public mutating func before(_ hook: @escaping Hook) {
        hooks.append(hook)
    }

    /// Says what an error of one type becomes for a request; nil leaves it to later rules. Errors without a rule are a 500 that
    /// tells nothing.
    public mutating func onError<Failure: Error>(
        _ type: Failure.Type, _ rule: @escaping @Sendable (Failure, Request) -> HTTPError?
    ) {
        errorRules.append { error, request in (error as? Failure).flatMap { rule($0, request) } }
    }

    /// Answers a complete request. Never fails: an error is an answer too.
    public func respond(to request: Request) async -> Response {
        switch plan(for: request) {
        case .answer(let response): return response
        case .target(let target):
            var answer = Self.run({ try target.handler(request) }, request, of: self)
            while true {
                switch answer.kind {
                case .response(let response): return response
                case .task(let make): answer = await run(make, request)
                case .work(let begin):
                    let outcome = await withCheckedContinuation { continuation in
                        begin(
                            Caller { make in
                                // Made here, and passed on whole.
                                nonisolated(unsafe) let outcome = Result { try make() }
                                unsafe continuation.resume(returning: outcome)
                            })
                    }
                    answer = Self.run({ try outcome.get() }, request, of: self)
                }
            }
        }
    }

    /// What a head alone decides: enough to refuse a request without waiting for its body.
    enum Plan {
        // Rare, and larger than all the rest of a connection's state.
        indirect case answer(Response)
        case target(Router.Target)
    }

    func plan(for request: Request) -> Plan {
        switch request.head.knownMethod {
        // RFC 9110 §9.1.
        case nil:
            request.route = nil
            return .answer(HTTPError(.notImplemented, "The method is not implemented.").response(to: request))
        // The absolute form writes "*" as an empty path, RFC 9112 §3.2.4.
        case .options where request.path == "*" || request.path.isEmpty:
            request.route = nil
            return allowed(router.allow)
        case let method?: return route(request, method)
        }
    }

    private func route(_ request: Request, _ method: KnownMethod) -> Plan {
        switch router.match(request, method) {
        case .notFound:
            return .answer(HTTPError.nothingHere.response(to: request))
        case .methodNotAllowed(let allow):
            if method == .options { return allowed(allow) }
            return refuse(HTTPError(.methodNotAllowed, "The method is not allowed here."), allow: allow, request)
        case .target(let target):
            if !target.hooks.isEmpty {
                do { for hook in target.hooks { try hook(request) } } catch {
                    return .answer(response(to: request, after: error))
                }
            }
            if target.content == .json, let error = request.contentRefusal {
                return .answer(error.response(to: request))
            }
            return .target(target)
        }
    }

    /// The answer of a task.
    func run(_ make: () async throws -> Answer, _ request: Request) async -> Answer {
        do { return try await make() } catch { return Answer(response(to: request, after: error)) }
    }

    /// The answer that `make` makes, or that its error becomes. The application is asked for only when there is an error: who
    /// has it as another's property would hold on to all it has, meanwhile.
    static func run(_ make: () throws -> Answer, _ request: Request, of app: @autoclosure () -> App) -> Answer {
        do { return try make() } catch { return Answer(app().response(to: request, after: error)) }
    }

    private func response(to request: Request, after error: any Error) -> Response {
        if let error = error as? HTTPError { return error.response(to: request) }
        for rule in errorRules {
            guard let known = rule(error, request) else { continue }
            var response = known.response(to: request)
            // What the client did wrong is no failure of the service's.
            if known.status.code >= 500 { response.failure = error }
            return response
        }
        var response = HTTPError(.internalServerError, "The server made a mistake.").response(to: request)
        response.failure = error
        return response
    }

    private func allowed(_ methods: String) -> Plan {
        var response = Response(status: .noContent)
        response.fields.append(known: "Allow", methods)
        return .answer(response)
    }

    private func refuse(_ error: HTTPError, allow: String, _ request: Request) -> Plan {
        var error = error
        error.fields.append(known: "Allow", allow)
        return .answer(error.response(to: request))
    }
}
