import Formatting
import HTTPTypes
import Postgres
import Telemetry
import Vial

/// The routes that every service has, on one loop, and what they are made with.
struct StandardRoutes: Sendable {
    /// The patterns that are routed whatever the configuration says.
    static let patterns = ["/", "/health", "/health/ready", "/health/live", "/db", "/metrics"]

    let service: Service
    let context: Service.Context
    let database: Database
    let health: Health
    let description: ServiceDescription

    /// An app with them and with the service's own.
    ///
    /// - Parameters:
    ///   - healthPaths: further ones that answer as `/health`.
    ///   - hidesOperations: whether `/metrics` and `/db` are somebody else's to serve, and not found here.
    func app(basePath: String = "", healthPaths: [String] = [], hidesOperations: Bool = false) -> App {
        var app = App(basePath: basePath)
        let root = ServiceDescription.Cache(description, basePath: basePath, hidesOperations: hidesOperations)
        app.get("/") { root.answer(at: $0.start) }
        addHealth(to: &app, paths: ["/health", "/health/ready"] + healthPaths)
        addOperations(to: &app, areHidden: hidesOperations)
        service.addRoutes(&app, context)
        app.onError(DatabaseError.self) { error, _ in HTTPError(error) }
        return app
    }

    private func addHealth(to app: inout App, paths: [String]) {
        for path in paths {
            app.get(path) { _ in health.answer }
        }
        app.get("/health/live") { _ in
            .json { json in
                json.beginObject()
                json.key("status")
                json.value("alive")
                json.endObject()
            }
        }
    }

    private func addOperations(to app: inout App, areHidden: Bool) {
        app.group { operations in
            // In their plain spelling alone, so that a load balancer's rule that names these paths hides them whole.
            operations.before { request in
                if areHidden || request.hasEscapedPath { throw HTTPError.nothingHere }
            }
            operations.get("/db") { _ in
                try .json(
                    DatabaseStatus(
                        countedTable: service.countedTable, rows: await context.pool.query(service.databaseStatus),
                        load: await database.load(), minimum: description.poolMinimum,
                        maximum: description.poolMaximum))
            }
            operations.get("/metrics") { request in
                let format = Exposition.format(forAccept: request.field(.accept))
                return Answer(
                    status: .ok, contentType: format.contentType, body: Exposition.render(context.registry, as: format))
            }
        }
    }
}

extension HTTPError {
    /// What a client hears of an error of the database that no rule of the service is about.
    init(_ error: DatabaseError) {
        switch error.errorClass {
        case .timeout, .cancelled: self.init(.gatewayTimeout, "The database did not answer in time.")
        // A conflict (40001 of a standby, 40P01, 55P03) is undone and may be tried again as it is, and a schema that this
        // build does not know is on its way to another one.
        case .connection, .pool, .authentication, .readOnly, .resources, .shutdown, .conflict, .statement:
            self = HTTPError(.serviceUnavailable, "The database is not available.").retryAfter(seconds: 1)
        case .constraint, .data, .result, .other:
            self.init(.internalServerError, "The server made a mistake.")
        }
    }
}
