import HTTPTypes
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
        find, findMany, firstPage, firstPageDescending, nextPage, nextPageDescending, firstLongPage,
        firstLongPageDescending, nextLongPage, nextLongPageDescending, insert, insertMany, insertOnce,
        findKey, expireKeys,
    ]
    /// Keys that `expireKeys` removes at most: few enough to hold up nobody.
    static let expiryBatch = 500

    private static let find = Statement(
        "find_item", "SELECT \(Item.columns) FROM items WHERE id = $1::int8", lookingUp: findMany)
    private static let findMany = Statement(
        "find_items", "SELECT \(Item.columns) FROM items WHERE id = ANY($1::int8[])")
    private static let first = "ORDER BY id"
    private static let firstDescending = "ORDER BY id DESC"
    private static let next = "WHERE id > $2::int8 ORDER BY id"
    private static let nextDescending = "WHERE id < $2::int8 ORDER BY id DESC"
    private static let firstPage = page("list_items", first)
    private static let firstPageDescending = page("list_items_descending", firstDescending)
    private static let nextPage = page("list_items_after", next)
    private static let nextPageDescending = page("list_items_descending_after", nextDescending)
    private static let firstLongPage = longPage("list_items_long", first, by: "id")
    private static let firstLongPageDescending = longPage("list_items_long_descending", firstDescending, by: "id DESC")
    private static let nextLongPage = longPage("list_items_long_after", next, by: "id")
    private static let nextLongPageDescending = longPage(
        "list_items_long_descending_after", nextDescending, by: "id DESC")
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
    /// The same, and no row behind the one that exceeds the page's bytes. `octet_length` knows the length of a value that is
    /// stored apart without fetching it. The window runs in the order in which the rows come, so nothing is sorted, and it
    /// ends where the limit does.
    private static func longPage(_ name: String, _ choice: String, by order: String) -> Statement {
        Statement(
            name,
            """
            SELECT * FROM (
                SELECT *, sum(octet_length(name) + coalesce(octet_length(description), 0))
                    OVER (ORDER BY \(order) ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING) AS before
                FROM (SELECT \(Item.columns) FROM items \(choice) LIMIT \(PageRequest.limits.upperBound + 1)) AS page
                LIMIT $1::int8
            ) AS page WHERE before IS NULL OR before <= \(PageRequest.byteLimit)
            """)
    }
    private static let insert = Statement(
        "create_item", "INSERT INTO items (name, description) VALUES ($1::text, $2::text) RETURNING \(Item.columns)",
        inserting: insertMany)
    /// Rows are inserted in the order of the arrays' elements, which `ORDER BY` says, and come back as they were inserted:
    /// that PostgreSQL does so is written nowhere, and held by tests.
    private static let insertMany = Statement(
        "create_items",
        """
        INSERT INTO items (name, description)
        SELECT name, description
        FROM unnest($1::text[], $2::text[]) WITH ORDINALITY AS new (name, description, place) ORDER BY place
        RETURNING \(Item.columns)
        """,
        kind: .insert)
    /// How long a key is honoured; the first answer is repeated for as long.
    private static let keyLifetime = "interval '24 hours'"
    /// Takes the key and makes its item, or finds what the key made: the columns of an item, whether it is new, and
    /// whether the body is the one that made it. An update, since it may wait for another transaction with the same key;
    /// no row when that was committed after this statement had begun.
    private static let insertOnce = Statement(
        "create_item_once",
        """
        WITH taken AS (
            INSERT INTO idempotency_keys AS known (key, body_hash, item_id, created_at)
            VALUES ($3::text, $4::bytea, nextval(pg_get_serial_sequence('items', 'id')), now())
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
        SELECT item_id, $1::text, $2::text, created_at, created_at, false, body_hash = $4::bytea
        FROM idempotency_keys WHERE key = $3::text AND NOT EXISTS (SELECT FROM taken)
        """,
        kind: .update)
    /// What a key made, in the same columns.
    private static let findKey = Statement(
        "find_idempotency_key",
        """
        SELECT item_id, $1::text, $2::text, created_at, created_at, false, body_hash = $4::bytea
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

    /// Answers with the item of this identifier, or that there is none.
    func find(_ id: Int64, for reply: Reply, _ answer: @escaping @Sendable (Item) throws -> Response) {
        pool.query(Self.find, key: id, on: reply.loop, until: reply.deadline) { rows in
            reply.send {
                guard let row = try rows.get().first else { throw HTTPError(.notFound, "There is no item \(id).") }
                return try answer(Item(row))
            }
        }
    }

    /// Answers with a page.
    func page(
        _ request: PageRequest, for reply: Reply, _ answer: @escaping @Sendable (Page) throws -> Response
    ) {
        let isAscending = request.order == .ascending
        // One more than the page shows whether there is a next one.
        let limit = request.limit + 1
        var parameters = [Parameter.int64(Int64(limit))]
        // PostgreSQL compares every key of an index page with a bound, also with one below all of them: a tenth of what the
        // page costs it.
        let isShort = request.limit <= PageRequest.shortLimit
        let statement: Statement
        if let after = request.after {
            statement =
                if isShort { isAscending ? Self.nextPage : Self.nextPageDescending } else {
                    isAscending ? Self.nextLongPage : Self.nextLongPageDescending
                }
            parameters.append(.int64(after))
        } else {
            statement =
                if isShort { isAscending ? Self.firstPage : Self.firstPageDescending } else {
                    isAscending ? Self.firstLongPage : Self.firstLongPageDescending
                }
        }
        pool.query(statement, parameters, rows: limit, on: reply.loop, until: reply.deadline) { rows in
            reply.send { try answer(Page(rows.get(), for: request)) }
        }
    }

    /// Makes an item of a valid name and description, and answers with it.
    func insert(_ new: NewItem.Valid, for reply: Reply, _ answer: @escaping @Sendable (Item) throws -> Response) {
        let parameters: [Parameter] = [.text(new.name), .optionalText(new.description)]
        pool.query(Self.insert, parameters, on: reply.loop, until: reply.deadline) { rows in
            reply.send {
                guard let row = try rows.get().first else {
                    throw DatabaseError.unexpectedResult("the insert returned no row")
                }
                return try answer(Item(row))
            }
        }
    }

    /// What became of a create that names a key.
    enum OnceOutcome {
        case created(Item)
        /// The key's first answer: the item as it was made.
        case repeated(Item)
        /// The key belongs to another body.
        case conflict

        fileprivate init(_ row: Row?) throws(DatabaseError) {
            guard let row else {
                throw .unexpectedResult("an idempotency key neither made an item nor names one")
            }
            guard try row.bool(6) else {
                self = .conflict
                return
            }
            self = try row.bool(5) ? .created(Item(row)) : .repeated(Item(row))
        }
    }

    /// Makes an item of a valid name and description, unless the key made one in the last 24 hours, and answers with what
    /// became of it.
    ///
    /// - Parameter body: the request's body, which has to be the same each time.
    func insertOnce(
        _ new: NewItem.Valid, key: IdempotencyKey, body: [UInt8], for reply: Reply,
        _ answer: @escaping @Sendable (OnceOutcome) throws -> Response
    ) {
        let parameters: [Parameter] = [
            .text(new.name), .optionalText(new.description), .text(key.text), .bytes(sha256(body)),
        ]
        let pool = pool
        pool.query(Self.insertOnce, parameters, on: reply.loop, until: reply.deadline) { rows in
            if case .success(let rows) = rows, rows.count == 0 {
                pool.query(Self.findKey, parameters, on: reply.loop, until: reply.deadline) { rows in
                    reply.send { try answer(OnceOutcome(rows.get().first)) }
                }
            } else {
                reply.send { try answer(OnceOutcome(rows.get().first)) }
            }
        }
    }

    /// Removes keys that are past their time, `expiryBatch` of them at most.
    ///
    /// - Returns: how many.
    func expireKeys() async throws(DatabaseError) -> Int {
        try await pool.query(Self.expireKeys).count
    }
}
