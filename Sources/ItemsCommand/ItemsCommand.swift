import Chassis
import Items

/// `items`: named `ItemsCommand`, because a type named like the module it imports would hide it.
@main
struct ItemsCommand {
    static func main() {
        Service(
            name: "items", version: "0.1.0", summary: "Serves items over HTTP from PostgreSQL.",
            migrations: Migration.items, keptSchema: .items,
            statements: ItemStore.statements, sessionSettings: ItemStore.sessionSettings,
            readiness: ItemStore.readiness, countedTable: "items",
            links: [("items", "/api/items")],
            keepsIdempotencyKeys: true
        ) { app, context in
            addItems(
                to: &app, ItemStore(context.pool),
                itemsCreated: context.counter("items_created_total", "Items that were created."),
                requiresPreconditions: context.requiresPreconditions)
        }.run()
    }
}
