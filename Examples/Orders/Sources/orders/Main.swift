import Chassis
import FoundationEssentials
import Vial

@main struct Main {
    static func main() {
        let table = """
            CREATE TABLE orders (
                id uuid PRIMARY KEY DEFAULT gen_random_uuid(), customer text NOT NULL, amount numeric NOT NULL,
                details jsonb, placed_at timestamptz NOT NULL DEFAULT now()
            )
            """
        Service(
            name: "orders", version: "1.0.0", summary: "Serves orders over HTTP from PostgreSQL.",
            migrations: [Migration("orders", table)], statements: OrderStore.statements, countedTable: "orders",
            links: [("orders", "/api/orders")]
        ) { app, context in
            addOrders(to: &app, OrderStore(pool: context.pool))
        }.run()
    }
}

func addOrders(to app: inout App, _ store: OrderStore) {
    let found = { @Sendable (order: Order?) in
        guard let order else { throw HTTPError(.notFound, "There is no such order.") }
        return try Answer.json(order)
    }
    app.group("/api/orders") { orders in
        orders.get("") { request in store.list(after: try request.query("after")).map { try .json(["orders": $0]) } }
        orders.post("") { request in
            let path = request.path
            return try store.create(try request.json(NewOrder.self).validated()).map { order in
                try .json(order, status: .created).location("\(path)/\(order.id)")
            }
        }
        orders.get("/{id}") { (_, id: UUID) in store.find(id).map(found) }
        orders.put("/{id}") { (request, id: UUID) in
            try store.replace(id, with: try request.json(NewOrder.self).validated()).map(found)
        }
        orders.delete("/{id}") { (_, id: UUID) in store.remove(id).map(found) }
    }
}
