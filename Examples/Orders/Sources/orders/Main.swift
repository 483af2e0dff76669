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
        ) { app, context in addOrders(to: &app, OrderStore(pool: context.pool)) }.run()
    }
}

func addOrders(to app: inout App, _ store: OrderStore) {
    app.group("/api/orders") { orders in
        orders.get("", "list_orders", "Lists up to 100 orders", query: OrderList.after) { store.list(after: $1) }
        orders.post("", "create_order", "Places an order", body: NewOrder.body, answer: .created(at: \.id)) {
            try store.create($1)
        }
        orders.get("/{id}", "read_order", "Reads an order") { (_, id: UUID) in store.find(id) }
        orders.put("/{id}", "replace_order", "Replaces an order", body: NewOrder.body) { (_, new, id: UUID) in
            try store.replace(id, with: new)
        }
        orders.delete("/{id}", "delete_order", "Removes an order") { (_, id: UUID) in store.remove(id) }
    }
}
