import FoundationEssentials
import Postgres

/// The orders in the database.
struct OrderStore: Sendable {
    let pool: Pool
    static let statements = [list, find, create, replace, remove]
    private static let columns = "id, customer, amount, details, placed_at"
    private static let list = Statement(
        "list_orders", "SELECT \(columns) FROM orders WHERE $1::uuid IS NULL OR id > $1 ORDER BY id LIMIT 100")
    private static let find = Statement("find_order", "SELECT \(columns) FROM orders WHERE id = $1::uuid")
    private static let create = Statement(
        "create_order",
        "INSERT INTO orders (customer, amount, details) VALUES ($1::text, $2::numeric, $3::jsonb) RETURNING \(columns)",
        kind: .insert)
    private static let replace = Statement(
        "replace_order",
        """
        UPDATE orders SET (customer, amount, details) = ($1::text, $2::numeric, $3::jsonb) WHERE id = $4::uuid
        RETURNING \(columns)
        """, kind: .update)
    private static let remove = Statement(
        "remove_order", "DELETE FROM orders WHERE id = $1::uuid RETURNING \(columns)", kind: .update)

    /// Up to 100 orders, sorted by key, from the one after `key` on.
    func list(after key: UUID?) -> Query<OrderList> {
        pool.all(Self.list, [.value(key)], most: 100, Order.init).map { OrderList(orders: $0) }
    }
    func find(_ id: UUID) -> Query<Order?> { pool.first(Self.find, [.value(id)], Order.init) }
    func remove(_ id: UUID) -> Query<Order?> { pool.first(Self.remove, [.value(id)], Order.init) }
    func create(_ new: NewOrder) throws -> Query<Order> { pool.one(Self.create, try Self.values(of: new), Order.init) }
    func replace(_ id: UUID, with new: NewOrder) throws -> Query<Order?> {
        pool.first(Self.replace, try Self.values(of: new) + [.value(id)], Order.init)
    }
    private static func values(of new: NewOrder) throws -> [Parameter] {
        [.value(new.customer), .value(new.amount), try .jsonb(new.details)]
    }
}
