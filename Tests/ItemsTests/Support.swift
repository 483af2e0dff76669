import Postgres
import Vial

@testable import Chassis
@testable import Items
@testable import TestSupport

/// The items service as its executable declares it.
let itemsService = Service(
    name: "items", version: "1.2.3", summary: "", migrations: Migration.items, keptSchema: .items,
    statements: ItemStore.statements, sessionSettings: ItemStore.sessionSettings, readiness: ItemStore.readiness,
    countedTable: "items", links: [("items", "/api/items")], keepsIdempotencyKeys: true
) { app, context in
    addItems(
        to: &app, ItemStore(context.pool), itemsCreated: context.counter("items_created_total", "Items."),
        requiresPreconditions: context.requiresPreconditions)
}

extension Migrations {
    /// The migrations of the items service.
    static func items() -> Migrations { Migrations(itemsService) }
}

/// Runs `body` on the loop of the items app whose database is unreachable.
func withUnreachableDatabase(
    _ variables: [String: String] = [:], _ body: @escaping @Sendable (App, Drain) async throws -> Void
) async throws {
    try await withUnreachableDatabase(of: itemsService, variables: variables, body)
}
