import HTTP1
import HTTPTypes
import Reactor

/// The application as a value: routes and what becomes of errors. A server calls it for every request; a test does so
/// without a socket: `await app.respond(to: Request(.get, "/api/items"))`.
public struct App: Sendable {
    private let basePath: String
    private var router = Router()
    private var errorRules: [@Sendable (any Error) -> HTTPError?] = []

    /// - Parameter basePath: put in front of every pattern: empty, or `/x` without a slash at the end.
    public init(basePath: String = "") {
        self.basePath = basePath
    }

    /// Every registered route, in order; the labels of metrics.
    public var routes: [Route] { router.routes }

    /// Registers a handler: `app.get("/api/items") { request in … }`. A GET route answers HEAD too.
    public mutating func get(_ pattern: String, _ handler: @escaping Handler) {
        router.add(.get, pattern, base: basePath, .suspending(handler))
    }

    /// Registers a handler that never waits: it is called while the request is read, without a task.
    public mutating func get(_ pattern: String, _ handler: @escaping ImmediateHandler) {
        router.add(.get, pattern, base: basePath, .immediate(handler))
    }

    /// Registers a handler that has its response sent later, without a task.
    public mutating func get(_ pattern: String, _ handler: @escaping DeferringHandler) {
        router.add(.get, pattern, base: basePath, .deferring(handler))
    }

    /// As above, with the path's parameter as the second one. Inlined where the parameter's type is known: code for any
    /// type takes 850 instructions more for each request.
    @inlinable
    public mutating func get<First: PathParameter & SendableMetatype>(
        _ pattern: String, _ handler: @escaping @Sendable (Request, First, Reply) throws -> Void
    ) {
        get(pattern) { (request: Request, reply: Reply) throws -> Void in
            guard let first: First = request.parameter(0) else { throw HTTPError.nothingHere }
            try handler(request, first, reply)
        }
    }

    /// Registers a handler whose second parameter is the path's: `app.get("/api/items/{id}") { (_, id: Int64) in … }`.
    public mutating func get<First: PathParameter & SendableMetatype>(
        _ pattern: String, _ handler: @escaping @Sendable (Request, First) async throws -> Response
    ) {
        add(.get, pattern, handler)
    }

    public mutating func post(_ pattern: String, _ handler: @escaping Handler) {
        router.add(.post, pattern, base: basePath, .suspending(handler))
    }

    /// As `get` with a handler that has its response sent later.
    public mutating func post(_ pattern: String, _ handler: @escaping DeferringHandler) {
        router.add(.post, pattern, base: basePath, .deferring(handler))
    }

    public mutating func put<First: PathParameter & SendableMetatype>(
        _ pattern: String, _ handler: @escaping @Sendable (Request, First) async throws -> Response
    ) {
        add(.put, pattern, handler)
    }

    public mutating func patch<First: PathParameter & SendableMetatype>(
        _ pattern: String, _ handler: @escaping @Sendable (Request, First) async throws -> Response
    ) {
        add(.patch, pattern, handler)
    }

    public mutating func delete<First: PathParameter & SendableMetatype>(
        _ pattern: String, _ handler: @escaping @Sendable (Request, First) async throws -> Response
    ) {
        add(.delete, pattern, handler)
    }

    /// Says what a handler's error of one type becomes. Errors without a rule are a 500 that tells nothing.
    public mutating func onError<Failure: Error>(
        _ type: Failure.Type, _ rule: @escaping @Sendable (Failure) -> HTTPError
    ) {
        errorRules.append { error in (error as? Failure).map(rule) }
    }

    /// Answers a complete request. Never fails: an error is an answer too.
    public func respond(to request: Request) async -> Response {
        switch plan(for: request) {
        case .answer(let response): response
        case .handler(.immediate(let handler)): run(handler, request)
        case .handler(.deferring(let handler)): await Waiter(self, request).response(of: handler)
        case .handler(.suspending(let handler)): await run(handler, request)
        }
    }

    /// Waits for the reply of a handler that defers it.
    private final class Waiter: ReplyReceiver {
        let loop: EventLoop? = nil
        private let app: App
        private let request: Request
        private var continuation: CheckedContinuation<Response, Never>?

        init(_ app: App, _ request: Request) {
            self.app = app
            self.request = request
        }

        func response(of handler: DeferringHandler) async -> Response {
            await withCheckedContinuation { continuation in
                self.continuation = continuation
                App.run(handler, request, Reply(to: self, deadline: nil))
            }
        }

        func receive(_ make: () throws -> Response) {
            continuation?.resume(returning: app.run(make, request))
        }
    }

    /// What a head alone decides: enough to refuse a request without waiting for its body.
    enum Plan {
        // Rare, and larger than all the rest of a connection's state.
        indirect case answer(Response)
        case handler(Router.AnyHandler)
    }

    func plan(for request: Request) -> Plan {
        // The object served another request before; what is refused without routing has no route.
        request.route = nil
        switch request.head.knownMethod {
        // RFC 9110 §9.1.
        case nil: return .answer(HTTPError(.notImplemented, "The method is not implemented.").response(to: request))
        // The absolute form writes "*" as an empty path, RFC 9112 §3.2.4.
        case .options where request.path == "*" || request.path.isEmpty:
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
        case .handler(let handler):
            if method.hasBody, let error = request.contentRefusal { return .answer(error.response(to: request)) }
            return .handler(handler)
        }
    }

    func run(_ handler: Handler, _ request: Request) async -> Response {
        do { return try await handler(request) } catch { return response(to: request, after: error) }
    }

    func run(_ handler: ImmediateHandler, _ request: Request) -> Response {
        run({ try handler(request) }, request)
    }

    static func run(_ handler: DeferringHandler, _ request: Request, _ reply: Reply) {
        do { try handler(request, reply) } catch { reply.send { throw error } }
    }

    func run(_ make: () throws -> Response, _ request: Request) -> Response {
        Self.run(make, request, of: self)
    }

    /// The same, of an application that is asked for only when there is an error: who has it as another's property would
    /// hold on to all it has, meanwhile.
    static func run(_ make: () throws -> Response, _ request: Request, of app: @autoclosure () -> App) -> Response {
        do { return try make() } catch { return app().response(to: request, after: error) }
    }

    private func response(to request: Request, after error: any Error) -> Response {
        if let error = error as? HTTPError { return error.response(to: request) }
        for rule in errorRules {
            guard let known = rule(error) else { continue }
            var response = known.response(to: request)
            response.failure = error
            return response
        }
        var response = HTTPError(.internalServerError, "The server made a mistake.").response(to: request)
        response.failure = error
        return response
    }

    private func allowed(_ methods: String) -> Plan {
        var response = Response.noContent
        response.fields.append(known: "Allow", methods)
        return .answer(response)
    }

    private func refuse(_ error: HTTPError, allow: String, _ request: Request) -> Plan {
        var error = error
        error.fields.append(known: "Allow", allow)
        return .answer(error.response(to: request))
    }

    private mutating func add<First: PathParameter & SendableMetatype>(
        _ method: KnownMethod, _ pattern: String,
        _ handler: @escaping @Sendable (Request, First) async throws -> Response
    ) {
        let whole: Handler = { request in
            guard let first: First = request.parameter(0) else { throw HTTPError.nothingHere }
            return try await handler(request, first)
        }
        router.add(method, pattern, base: basePath, .suspending(whole))
    }
}

extension KnownMethod {
    /// Whether a request's content has a meaning: that of JSON here.
    fileprivate var hasBody: Bool {
        switch self {
        case .post, .put, .patch: true
        case .get, .head, .delete, .options, .trace, .connect: false
        }
    }
}
