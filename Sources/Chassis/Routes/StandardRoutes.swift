import Formatting
import HTTPTypes
import Postgres
import Reactor
import Telemetry
import Vial

/// The routes that every service has, on one loop, and what they need.
struct StandardRoutes: Sendable {
    /// The patterns that exist in every configuration.
    static let patterns =
        ["/", "/health", "/health/ready", "/health/live", "/db", "/metrics", "/problems/{name}", "/openapi.json"]
        + DocumentPage.patterns + [APICatalog.pattern]

    let service: Service
    let context: Service.Context
    let database: Database
    let health: LoopBound<Health>
    let description: ServiceDescription
    let document: ServiceDocument

    /// An app with these routes and the service's own.
    ///
    /// - Parameters:
    ///   - healthPaths: further paths that answer as `/health`.
    ///   - hidesOperations: whether `/metrics` and `/db` are served elsewhere, and 404 here.
    func app(basePath: String = "", healthPaths: [String] = [], hidesOperations: Bool = false) -> App {
        var app = App(basePath: basePath)
        let links = description.links(basePath: basePath, hidesOperations: hidesOperations)
        app.offer("application/json")
        let catalog = APICatalog(basePath: basePath)
        app.get("/") { [fields = catalog.rootFields] in
            description.answer(at: $0.start, links: links, fields: fields)
        }
        // A balancer's check and a scraper's request are answered whatever they accept.
        app.offer()
        addHealth(to: &app, paths: ["/health", "/health/ready"] + healthPaths)
        addOperations(to: &app, areHidden: hidesOperations)
        app.offer("application/json", "text/html")
        app.get("/problems/{name}") { (request, name: String) in
            try ProblemPages.answer(name, to: request)
        }
        app.offer()
        service.addRoutes(&app, context)
        describe(in: &app, hidesOperations: hidesOperations)
        document.addRoute(to: &app)
        DocumentPage.addRoutes(to: &app)
        app.offer()
        app.get(APICatalog.pattern) { [document = catalog.document] in try document.answer(to: $0) }
        app.onError(DatabaseError.self) { error, request in HTTPError(error, for: request) }
        return app
    }

    private func addHealth(to app: inout App, paths: [String]) {
        for path in paths {
            app.get(path) { _ in health.value.answer }
        }
        app.get("/health/live") { _ in
            try Answer.json { json in
                json.beginObject()
                json.key("status")
                json.value("alive")
                json.endObject()
            }.field("Cache-Control", "no-store")
        }
    }

    private func addOperations(to app: inout App, areHidden: Bool) {
        app.group { operations in
            // Only in their plain spelling, so that a load balancer's rule on these paths hides them completely.
            operations.before { request in
                if areHidden || request.hasEscapedPath { throw HTTPError.nothingHere }
            }
            operations.offer("application/json")
            operations.get("/db") { _ in
                try Answer.json(
                    DatabaseStatus(
                        countedTable: service.countedTable, rows: await context.pool.query(service.databaseStatus),
                        load: await database.load(), minimum: description.poolMinimum,
                        maximum: description.poolMaximum)
                ).field("Cache-Control", "no-store")
            }
            operations.offer()
            operations.get("/metrics") { request in
                let format = Exposition.format(forAccept: request.field(.accept))
                return try Answer(
                    status: .ok, contentType: format.contentType, body: Exposition.render(context.registry, as: format)
                ).field("Cache-Control", "no-store")
            }
        }
    }
}

extension HTTPError {
    /// The answer to a database error for which the service has no rule.
    init(_ error: DatabaseError, for request: Request) {
        switch error {
        case .connectionLost where request.mayChange:
            self.init(unknownOutcomeOf: request, .serviceUnavailable, "The connection to the database was lost.")
            return
        // A pooler reports so (08P01) that it lost the connection on which the statement ran.
        case .server where request.mayChange && error.errorClass == .connection && !error.isOfFunction:
            self.init(unknownOutcomeOf: request, .serviceUnavailable, "The connection to the database was lost.")
            return
        case .deadlineExceeded, .unconfirmed:
            self.init(unknownOutcomeOf: request, .gatewayTimeout, "The database did not answer in time.")
            return
        default: break
        }
        switch error.errorClass {
        case .timeout, .cancelled: self.init(.gatewayTimeout, "The database did not answer in time.")
        // A conflict (40001 of a standby, 40P01, 55P03) is rolled back and may be repeated unchanged, and a schema that
        // this build does not know may be about to change.
        case .connection, .pool, .authentication, .readOnly, .resources, .shutdown, .conflict, .statement:
            self = HTTPError(.serviceUnavailable, "The database is not available.").of(.unavailable)
                .retryAfter(seconds: 1)
        case .constraint, .data, .result, .other:
            self.init(.internalServerError, "An unexpected error occurred.")
        }
    }
}
