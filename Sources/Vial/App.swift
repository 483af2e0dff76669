public import HTTP1
import HTTPTypes
import Reactor

/// A handler as the router stores it.
typealias Handler = @Sendable (Request) throws -> Answer
/// Inspects a request before its handler runs; throws to refuse the request.
public typealias Hook = @Sendable (Request) throws -> Void

/// An application as a value: routes, hooks and error rules. A server calls it for every request; a test calls it
/// without a socket: `await app.respond(to: Request(.get, "/api/orders"))`.
///
/// A handler takes the request and the values of the path's parameters and returns an `Answer`:
/// ```swift
/// app.get("/api/orders/{order}/lines/{line}") { (request, order: Int64, line: String) in … }
/// ```
/// If a segment cannot be converted to its parameter's type, the response is 404. An `async` handler runs in a task;
/// any other runs inline on the event loop and must not block.
public struct App: Sendable {
    /// What a route requires of a request's body.
    public enum Content: Sendable {
        /// Must be declared as JSON, in UTF-8 and without a content coding; otherwise the request is refused with 415
        /// before its body is read.
        case json
        /// Must be declared as a JSON Merge Patch (RFC 7396), or as `application/json`, which is taken as the same;
        /// otherwise refused like `json`, with `Accept-Patch`. OPTIONS tells it too.
        case mergePatch
        /// Any body, or none.
        case any
    }

    /// Prefix of every pattern: empty, or `/x` without a trailing slash.
    public let basePath: String
    /// Which pages of other origins may use the app.
    public var crossOrigin = CrossOrigin.none
    /// Prefix and hooks of the group that is being registered.
    private(set) var prefix = ""
    private var hooks: [Hook] = []
    /// Media types of the answers of the routes that are being registered; empty: any.
    private var offered: [String] = []
    private var router = Router()
    /// What was declared, in registration order; a document is made of it.
    public internal(set) var operations: [Operation] = []
    private var errorRules: [@Sendable (any Error, Request) -> HTTPError?] = []

    /// - Parameter basePath: prefix of every pattern: empty, or `/x` without a trailing slash.
    public init(basePath: String = "") {
        self.basePath = basePath
    }

    /// All routes in registration order; metrics use them as labels.
    public var routes: [Route] { router.routes }

    /// Registers a handler. A GET route also serves HEAD.
    @inlinable @inline(__always)
    public mutating func get<each Value: PathParameter & SendableMetatype>(
        _ pattern: String, _ handler: @escaping @Sendable (Request, repeat each Value) throws -> Answer
    ) {
        on(.get, pattern, handler)
    }

    /// Registers a handler that runs in a task. A GET route also serves HEAD.
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

    /// Registers a handler that runs in a task.
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

    /// Registers a handler that runs in a task.
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

    /// Registers a handler that runs in a task.
    public mutating func patch<each Value: PathParameter & SendableMetatype>(
        _ pattern: String, accepts content: Content = .json,
        _ handler: @escaping @Sendable (Request, repeat each Value) async throws -> Answer
    ) {
        on(.patch, pattern, accepts: content, handler)
    }

    /// Registers a handler. The request may have a body; its type is not checked.
    @inlinable @inline(__always)
    public mutating func delete<each Value: PathParameter & SendableMetatype>(
        _ pattern: String, _ handler: @escaping @Sendable (Request, repeat each Value) throws -> Answer
    ) {
        on(.delete, pattern, handler)
    }

    /// Registers a handler that runs in a task.
    public mutating func delete<each Value: PathParameter & SendableMetatype>(
        _ pattern: String, _ handler: @escaping @Sendable (Request, repeat each Value) async throws -> Answer
    ) {
        on(.delete, pattern, handler)
    }

    // Inlined so that the parameter types are known at compile time: unspecialized generic code is several times
    // slower.
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

    /// - Parameters:
    ///   - types: media types of the answer, empty for any; nil: those of `offer`.
    ///   - count: how many parameters the handler takes; must be all of the path's.
    @usableFromInline
    mutating func add(
        _ method: KnownMethod, _ pattern: String, accepts content: Content, offering types: [String]? = nil,
        parameters count: Int, _ handler: @escaping @Sendable (Request) throws -> Answer
    ) {
        precondition(pattern.isEmpty || pattern.hasPrefix("/"), "pattern \(pattern) does not begin with a slash")
        let whole = prefix + pattern
        let inPath = whole.split(separator: "/").count { $0.hasPrefix("{") }
        precondition(count == inPath, "the handler of \(whole) takes \(count) of its \(inPath) parameters")
        // A deletion's answer usually has no content, which every client accepts.
        let types = types ?? (method == .delete ? [] : offered)
        router.add(
            method, whole, base: basePath,
            Router.Target(handler: handler, hooks: hooks, content: content, offered: types))
    }

    /// Registers routes under a common prefix. Hooks added so far apply to them; hooks added in `build` apply only
    /// inside the group.
    ///
    /// - Parameter prefix: empty, or `/x` without a trailing slash. Its parameters precede those of the pattern.
    public mutating func group(_ prefix: String = "", _ build: (inout App) throws -> Void) rethrows {
        precondition(
            prefix.isEmpty || prefix.hasPrefix("/") && !prefix.hasSuffix("/"),
            "prefix \(prefix) does not begin with a slash, or ends with one")
        let outer = (prefix: self.prefix, hooks: hooks, offered: offered)
        self.prefix += prefix
        defer { (self.prefix, hooks, offered) = outer }
        try build(&self)
    }

    /// Runs `hook` for every route registered after it in the same group, when the head is complete and before the body
    /// is read. An error it throws becomes the response. Hooks run in the order in which they were added.
    ///
    /// The router itself answers 404, 405 and OPTIONS; no hook runs for these.
    public mutating func before(_ hook: @escaping Hook) {
        hooks.append(hook)
    }

    /// Says what the answers of every route are that is registered after it in the same group without a declaration: a
    /// request whose `Accept` excludes all of these media types is refused with 406, after the hooks and before its body
    /// is read. DELETE is not refused, because its answer usually has no content. Problems are sent to every client.
    ///
    /// - Parameter types: in lower case and without parameters: `application/json`; none: the answer may be anything,
    ///   and no request is refused, as without this call.
    public mutating func offer(_ types: String...) {
        for type in types {
            let bytes = Array(type.utf8)
            precondition(
                MediaType(bytes.span)?.name == type && !type.contains("*"), "'\(type)' is not a media type")
        }
        offered = types
    }

    /// Maps errors of one type to a response; a rule that returns nil leaves the error to later rules. An error without
    /// a rule becomes a 500 that reveals no details.
    public mutating func onError<Failure: Error>(
        _ type: Failure.Type, _ rule: @escaping @Sendable (Failure, Request) -> HTTPError?
    ) {
        errorRules.append { error, request in (error as? Failure).flatMap { rule($0, request) } }
    }

    /// Answers a complete request. Never throws: an error becomes a response.
    public func respond(to request: Request) async -> Response {
        var response = await answer(to: request)
        crossOrigin.finish(&response, for: request)
        return response
    }

    private func answer(to request: Request) async -> Response {
        switch plan(for: request) {
        case .answer(let response): return response
        case .target(let target):
            var answer = attempt({ try target.handler(request) }, for: request)
            while true {
                switch answer.kind {
                case .response(let response): return response
                case .task(let make): answer = await run(make, request)
                case .work(let work):
                    let outcome = await withCheckedContinuation { continuation in
                        work.begin(
                            for: Caller { make in
                                // `make` runs on this thread; only the finished result crosses to the continuation.
                                nonisolated(unsafe) let outcome = Result { try make() }
                                unsafe continuation.resume(returning: outcome)
                            })
                    }
                    answer = attempt({ try outcome.get() }, for: request)
                }
            }
        }
    }

    /// What the head alone decides, so that a request can be refused without waiting for its body.
    enum Plan {
        // Indirect: a response is rare here, and larger than the rest of a connection's state together.
        indirect case answer(Response)
        case target(Router.Target)
    }

    func plan(for request: Request) -> Plan {
        switch request.head.knownMethod {
        // RFC 9110 §9.1.
        case nil:
            request.route = nil
            return .answer(
                HTTPError(.notImplemented, "The method is not implemented.").response(to: request, under: basePath))
        // The absolute form writes "*" as an empty path, RFC 9112 §3.2.4.
        case .options where request.path == "*" || request.path.isEmpty:
            request.route = nil
            return allowed(router.allow, takesMergePatch: false)
        case let method?: return route(request, method)
        }
    }

    private func route(_ request: Request, _ method: KnownMethod) -> Plan {
        switch router.match(request, method) {
        case .notFound:
            return .answer(HTTPError.nothingHere.response(to: request, under: basePath))
        case .methodNotAllowed(let allow, let takesMergePatch):
            if method == .options { return allowed(allow, takesMergePatch: takesMergePatch) }
            return refuse(HTTPError(.methodNotAllowed, "The method is not allowed here."), allow: allow, request)
        case .target(let target):
            if !target.hooks.isEmpty {
                do { for hook in target.hooks { try hook(request) } } catch {
                    return .answer(response(to: request, after: error))
                }
            }
            if request.head.fields.contains(.secFetchSite), let error = crossOrigin.refusal(of: request) {
                return .answer(error.response(to: request, under: basePath))
            }
            if request.head.fields.contains(.accept), let error = request.acceptRefusal(offering: target.offered) {
                return .answer(error.response(to: request, under: basePath))
            }
            if target.content != .any, let error = request.contentRefusal(by: target.content) {
                return .answer(error.response(to: request, under: basePath))
            }
            return .target(target)
        }
    }

    /// Runs a task's closure; an error becomes the response that the rules give.
    func run(_ make: () async throws -> Answer, _ request: Request) async -> Answer {
        do { return try await make() } catch { return Answer(response(to: request, after: error)) }
    }

    private func attempt(_ make: () throws -> Answer, for request: Request) -> Answer {
        do { return try make() } catch { return Answer(response(to: request, after: error)) }
    }

    /// The response that the rules give for an error.
    func response(to request: Request, after error: any Error) -> Response {
        if let error = error as? HTTPError { return error.response(to: request, under: basePath) }
        for rule in errorRules {
            guard let known = rule(error, request) else { continue }
            var response = known.response(to: request, under: basePath)
            // A 4xx is the client's error and is not logged as a failure of the service.
            if known.status.code >= 500 { response.failure = error }
            return response
        }
        var response = HTTPError(.internalServerError, "An unexpected error occurred.")
            .response(to: request, under: basePath)
        response.failure = error
        return response
    }

    private func allowed(_ methods: String, takesMergePatch: Bool) -> Plan {
        var response = Response(status: .noContent)
        response.fields.append(known: "Allow", methods)
        if takesMergePatch { response.fields.append(literal: "Accept-Patch", "application/merge-patch+json") }
        return .answer(response)
    }

    private func refuse(_ error: HTTPError, allow: String, _ request: Request) -> Plan {
        var error = error
        error.fields.append(known: "Allow", allow)
        return .answer(error.response(to: request, under: basePath))
    }
}
