import Vial

@testable import Chassis
@testable import TestSupport

/// A service with a resource that has the same name as the service.
let service = Service(
    name: "items", version: "1.2.3", summary: "Serves items.", links: [("items", "/api/items")]
) { app, _ in
    app.get("/api/items") { _ in .noContent }
    app.get("/api/items/{id}") { (_, _: Int64) in .noContent }
}

/// The configuration from these variables, without a database.
func configuration(_ values: [String: String] = [:]) throws -> Configuration {
    try configuration(values, of: service)
}

/// Runs `body` on the loop of an app whose database is unreachable.
func withUnreachableDatabase(
    basePath: String = "", hidesOperations: Bool = false,
    _ body: @escaping @Sendable (App, Drain) async throws -> Void
) async throws {
    try await withUnreachableDatabase(of: service, basePath: basePath, hidesOperations: hidesOperations, body)
}
