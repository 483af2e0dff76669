public import Postgres
import Vial

/// The items in the database, through one pool. Every SQL text about items stands here.
public struct ItemStore: Sendable {
    private let pool: Pool

    public init(_ pool: Pool) {
        self.pool = pool
    }

    /// The statements that a connection prepares.
    public static let statements = [find, pageAscending, pageDescending, insert]

    private static let find = Statement("find_item", "SELECT \(Item.columns) FROM items WHERE id = $1::int8")
    private static let pageAscending = Statement(
        "list_items", "SELECT \(Item.columns) FROM items WHERE id > $1::int8 ORDER BY id LIMIT $2::int8")
    private static let pageDescending = Statement(
        "list_items_descending", "SELECT \(Item.columns) FROM items WHERE id < $1::int8 ORDER BY id DESC LIMIT $2::int8"
    )
    private static let insert = Statement(
        "create_item", "INSERT INTO items (name, description) VALUES ($1::text, $2::text) RETURNING \(Item.columns)",
        kind: .insert)

    /// The item with this identifier, nil when there is none.
    func find(_ id: Int64) async throws(DatabaseError) -> Item? {
        guard let row = try await pool.query(Self.find, [.int64(id)]).first else { return nil }
        return try Item(row)
    }

    func page(_ request: PageRequest) async throws(DatabaseError) -> Page {
        let statement = request.order == .ascending ? Self.pageAscending : Self.pageDescending
        // One more than the page shows whether there is a next one.
        let rows = try await pool.query(statement, [.int64(request.after), .int64(Int64(request.limit + 1))])
        return try Page(rows, for: request)
    }

    /// Makes an item of a valid name and description.
    func insert(name: String, description: String?) async throws(DatabaseError) -> Item {
        let rows = try await pool.query(Self.insert, [.text(name), .optionalText(description)])
        guard let row = rows.first else { throw .unexpectedResult("the insert returned no row") }
        return try Item(row)
    }
}
