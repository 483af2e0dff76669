public import Postgres
import Vial

/// The items in the database, through one pool. Every SQL text about items stands here.
public struct ItemStore: Sendable {
    private let pool: Pool

    public init(_ pool: Pool) {
        self.pool = pool
    }

    /// The statements that a connection prepares.
    public static let statements = [
        find, firstPage, firstPageDescending, nextPage, nextPageDescending, insert, insertOnce, findKey, expireKeys,
    ]
    /// Keys that `expireKeys` removes at most: few enough to hold up nobody.
    static let expiryBatch = 500

    private static let find = Statement("find_item", "SELECT \(Item.columns) FROM items WHERE id = $1::int8")
    private static let firstPage = page("list_items", "ORDER BY id")
    private static let firstPageDescending = page("list_items_descending", "ORDER BY id DESC")
    private static let nextPage = page("list_items_after", "WHERE id > $2::int8 ORDER BY id")
    private static let nextPageDescending = page("list_items_descending_after", "WHERE id < $2::int8 ORDER BY id DESC")
    /// The inner limit is for the planner, which takes an unknown one for a tenth of the table: over a large table it would
    /// sort that, or compile the plan first.
    private static func page(_ name: String, _ choice: String) -> Statement {
        Statement(
            name,
            """
            SELECT * FROM (
                SELECT \(Item.columns) FROM items \(choice) LIMIT \(PageRequest.limits.upperBound + 1)
            ) AS page LIMIT $1::int8
            """)
    }
    private static let insert = Statement(
        "create_item", "INSERT INTO items (name, description) VALUES ($1::text, $2::text) RETURNING \(Item.columns)",
        kind: .insert)
    /// How long a key is honoured; the first answer is repeated for as long.
    private static let keyLifetime = "interval '24 hours'"
    private static let bodyHash = "sha256(convert_to($4::text, 'UTF8'))"
    /// Takes the key and makes its item, or finds what the key made: the columns of an item, whether it is new, and
    /// whether the body is the one that made it. An update, since it may wait for another transaction with the same key;
    /// no row when that was committed after this statement had begun.
    private static let insertOnce = Statement(
        "create_item_once",
        """
        WITH taken AS (
            INSERT INTO idempotency_keys AS known (key, body_hash, item_id, created_at)
            VALUES ($3::text, \(bodyHash), nextval(pg_get_serial_sequence('items', 'id')), now())
            ON CONFLICT (key) DO UPDATE
                SET body_hash = excluded.body_hash, item_id = excluded.item_id, created_at = excluded.created_at
                WHERE known.created_at < now() - \(keyLifetime)
            RETURNING item_id
        ), created AS (
            INSERT INTO items (id, name, description) SELECT item_id, $1::text, $2::text FROM taken
            RETURNING \(Item.columns)
        )
        SELECT \(Item.columns), true, true FROM created
        UNION ALL
        SELECT item_id, $1::text, $2::text, created_at, created_at, false, body_hash = \(bodyHash)
        FROM idempotency_keys WHERE key = $3::text AND NOT EXISTS (SELECT FROM taken)
        """,
        kind: .update)
    /// What a key made, in the same columns.
    private static let findKey = Statement(
        "find_idempotency_key",
        """
        SELECT item_id, $1::text, $2::text, created_at, created_at, false, body_hash = \(bodyHash)
        FROM idempotency_keys WHERE key = $3::text
        """)
    private static let expireKeys = Statement(
        "expire_idempotency_keys",
        """
        DELETE FROM idempotency_keys WHERE key IN (
            SELECT key FROM idempotency_keys WHERE created_at < now() - \(keyLifetime)
            ORDER BY created_at LIMIT \(expiryBatch) FOR UPDATE SKIP LOCKED
        ) RETURNING 1
        """,
        kind: .update)

    /// The item with this identifier, nil when there is none.
    func find(_ id: Int64) async throws(DatabaseError) -> Item? {
        guard let row = try await pool.query(Self.find, [.int64(id)]).first else { return nil }
        return try Item(row)
    }

    func page(_ request: PageRequest) async throws(DatabaseError) -> Page {
        // One more than the page shows whether there is a next one.
        let limit = Parameter.int64(Int64(request.limit + 1))
        let rows =
            if let after = request.after {
                try await pool.query(
                    request.order == .ascending ? Self.nextPage : Self.nextPageDescending, [limit, .int64(after)])
            } else {
                // PostgreSQL compares every key of an index page with a bound, also with one below all of them: a tenth of
                // what the page costs it.
                try await pool.query(request.order == .ascending ? Self.firstPage : Self.firstPageDescending, [limit])
            }
        return try Page(rows, for: request)
    }

    /// Makes an item of a valid name and description.
    func insert(name: String, description: String?) async throws(DatabaseError) -> Item {
        let rows = try await pool.query(Self.insert, [.text(name), .optionalText(description)])
        guard let row = rows.first else { throw .unexpectedResult("the insert returned no row") }
        return try Item(row)
    }
    /// What became of a create that names a key.
    enum OnceOutcome {
        case created(Item)
        /// The key's first answer: the item as it was made.
        case repeated(Item)
        /// The key belongs to another body.
        case conflict
    }

    /// Makes an item of a valid name and description, unless the key made one in the last 24 hours.
    ///
    /// - Parameter body: the request's body, which has to be the same each time.
    func insertOnce(
        name: String, description: String?, key: IdempotencyKey, body: [UInt8]
    ) async throws(DatabaseError) -> OnceOutcome {
        let parameters: [Parameter] = [
            .text(name), .optionalText(description), .text(key.text), .text(String(decoding: body, as: UTF8.self)),
        ]
        var row = try await pool.query(Self.insertOnce, parameters).first
        if row == nil { row = try await pool.query(Self.findKey, parameters).first }
        guard let row else { throw .unexpectedResult("an idempotency key neither made an item nor names one") }
        guard try row.bool(6) else { return .conflict }
        return try row.bool(5) ? .created(Item(row)) : .repeated(Item(row))
    }

    /// Removes keys that are past their time, `expiryBatch` of them at most.
    ///
    /// - Returns: how many.
    func expireKeys() async throws(DatabaseError) -> Int {
        try await pool.query(Self.expireKeys).count
    }
}
