import Formatting
import HTTP1
import HTTPTypes
public import Postgres
public import Telemetry
public import Vial

/// What the handlers need besides the request.
public struct Services: Sendable {
    public let store: ItemStore
    public let pool: Pool
    public let database: Database
    public let health: Health
    public let registry: Registry
    public let service: ServiceDescription
    public let itemCreated: @Sendable () -> Void

    public init(
        pool: Pool, database: Database, health: Health, registry: Registry, service: ServiceDescription,
        itemCreated: @escaping @Sendable () -> Void
    ) {
        store = ItemStore(pool)
        self.pool = pool
        self.database = database
        self.health = health
        self.registry = registry
        self.service = service
        self.itemCreated = itemCreated
    }

    /// The patterns that are routed whatever the configuration says.
    static let paths = [
        "/", "/health", "/health/ready", "/health/live", "/db", "/api/items", "/api/items/{id}", "/metrics",
    ]

    /// Whether a request for `path` has its answer already.
    static func isServed(_ path: String) -> Bool {
        let segments = path.split(separator: "/")
        return paths.contains { pattern in
            let others = pattern.split(separator: "/")
            return others.count == segments.count
                && zip(others, segments).allSatisfy { $0.hasPrefix("{") || $0 == $1 }
        }
    }

    /// The statements that a connection prepares.
    public static let statements = ItemStore.statements + [Health.statement, DatabaseStatus.statement]
}

/// Which URL does what.
///
/// - Parameter hidesOperations: whether `/metrics` and `/db` are somebody else's to serve, and not found here.
public func makeApp(
    _ services: Services, basePath: String = "", healthPaths: [String] = [], hidesOperations: Bool = false
) -> App {
    var app = App(basePath: basePath)
    let store = services.store

    let description = ServiceDescription.Answer(
        services.service, basePath: basePath, hidesOperations: hidesOperations)
    app.get("/") { description.response(at: $0.start) }

    for path in ["/health", "/health/ready"] + healthPaths {
        app.get(path) { (_, reply) in services.health.check(for: reply) }
    }
    app.get("/health/live") { _ in
        .json { json in
            json.beginObject()
            json.key("status")
            json.value("alive")
            json.endObject()
        }
    }

    // In their plain spelling alone, so that a load balancer's rule that names these paths hides them whole.
    let guardOperations = { @Sendable (request: Request) throws in
        if hidesOperations || request.hasEscapedPath { throw HTTPError.nothingHere }
    }
    app.get("/db") { request in
        try guardOperations(request)
        return try .json(
            DatabaseStatus(
                rows: await services.pool.query(DatabaseStatus.statement), load: await services.database.load(),
                minimum: services.service.poolMinimum, maximum: services.service.poolMaximum))
    }

    let collection = Array("\(basePath)/api/items".utf8)
    app.get("/api/items") { (request, reply) in
        store.page(try PageRequest(request), for: reply) { page in
            var response = try Response.json(page)
            if let link = page.link(path: collection.span) {
                try response.fields.append(literal: "Link", utf8: link.span)
            }
            return response
        }
    }

    app.get("/api/items/{id}") { (_, id: Int64, reply) in
        store.find(id, for: reply) { try .json($0) }
    }

    let itemCreated = services.itemCreated
    let created = { @Sendable (item: Item) in
        try Response.json(item, status: .created).location(item.path(in: collection.span).span)
    }
    let newlyCreated = { @Sendable (item: Item) in
        itemCreated()
        return try created(item)
    }
    app.post("/api/items") { (request, reply) in
        let key = try IdempotencyKey(request)
        let new = try request.json(NewItem.self).validated()
        guard let key else { return store.insert(new, for: reply, newlyCreated) }
        store.insertOnce(new, key: key, body: request.body, for: reply) { outcome in
            switch outcome {
            case .created(let item): return try newlyCreated(item)
            case .repeated(let item): return try created(item).field("Idempotent-Replayed", "true")
            case .conflict: throw HTTPError(.unprocessableContent, "The Idempotency-Key was used with another body.")
            }
        }
    }

    app.get("/metrics") { request in
        try guardOperations(request)
        let format = Exposition.format(forAccept: request.field(.accept))
        return Response(
            status: .ok, contentType: format.contentType, body: Exposition.render(services.registry, as: format))
    }

    app.onError(DatabaseError.self) { error in
        if let item = ItemTooLong(error) { return HTTPError(item) }
        return switch error.errorClass {
        case .timeout, .cancelled: HTTPError(.gatewayTimeout, "The database did not answer in time.")
        // A conflict (40001 of a standby, 40P01, 55P03) is undone and may be tried again as it is, and a schema that this
        // build does not know is on its way to another one.
        case .connection, .pool, .authentication, .readOnly, .resources, .shutdown, .conflict, .statement:
            HTTPError(.serviceUnavailable, "The database is not available.").retryAfter(seconds: 1)
        case .constraint, .data, .result, .other:
            HTTPError(.internalServerError, "The server made a mistake.")
        }
    }
    return app
}
