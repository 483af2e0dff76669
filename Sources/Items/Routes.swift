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

    let description = ServiceDescription.Cache(
        services.service, basePath: basePath, hidesOperations: hidesOperations)
    app.get("/") { description.answer(at: $0.start) }

    for path in ["/health", "/health/ready"] + healthPaths {
        app.get(path) { _ in services.health.answer }
    }
    app.get("/health/live") { _ in
        .json { json in
            json.beginObject()
            json.key("status")
            json.value("alive")
            json.endObject()
        }
    }

    app.group { operations in
        // In their plain spelling alone, so that a load balancer's rule that names these paths hides them whole.
        operations.before { request in
            if hidesOperations || request.hasEscapedPath { throw HTTPError.nothingHere }
        }
        operations.get("/db") { _ in
            try .json(
                DatabaseStatus(
                    rows: await services.pool.query(DatabaseStatus.statement), load: await services.database.load(),
                    minimum: services.service.poolMinimum, maximum: services.service.poolMaximum))
        }
        operations.get("/metrics") { request in
            let format = Exposition.format(forAccept: request.field(.accept))
            return Answer(
                status: .ok, contentType: format.contentType, body: Exposition.render(services.registry, as: format))
        }
    }

    let collection = Array("\(basePath)/api/items".utf8)
    app.get("/api/items") { request in
        store.page(try PageRequest(request)).map { page in
            let answer = try Answer.json(page)
            guard let link = page.link(path: collection) else { return answer }
            return try answer.field("Link", utf8: link)
        }
    }

    app.get("/api/items/{id}") { (_, id: Int64) in
        store.find(id).map { item in
            guard let item else { throw HTTPError(.notFound, "There is no item \(id).") }
            return try .json(item)
        }
    }

    let itemCreated = services.itemCreated
    let created = { @Sendable (item: Item) in
        try Answer.json(item, status: .created).field("Location", utf8: item.path(in: collection))
    }
    app.post("/api/items") { request in
        let key = try IdempotencyKey(request)
        let new = try request.json(NewItem.self).validated()
        guard let key else {
            return store.insert(new).map { item in
                itemCreated()
                return try created(item)
            }
        }
        let hash = sha256(request.body)
        return .task {
            switch try await store.insertOnce(new, key: key, hash: hash) {
            case .created(let item):
                itemCreated()
                return try created(item)
            case .repeated(let item): return try created(item).field("Idempotent-Replayed", "true")
            case .conflict: throw HTTPError(.unprocessableContent, "The Idempotency-Key was used with another body.")
            }
        }
    }

    app.onError(DatabaseError.self) { error, request in
        if let item = ItemTooLong(error) { return HTTPError(item) }
        // A read breaks no rule of the table.
        if request.method == .post, let refused = HTTPError(refusedItem: error) { return refused }
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
