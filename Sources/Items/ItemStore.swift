import Chassis
public import Postgres

/// The items in the database, through one pool. It has every SQL text about items, with `ItemStore+Changes`,
/// except those for long items in `LongItems`.
public struct ItemStore: Sendable {
    let pool: Pool

    /// - Parameter pool: the connections of one event loop.
    public init(_ pool: Pool) {
        self.pool = pool
    }

    /// Whether the tables and columns that the routes use exist and can be read; an error when one is missing. It takes
    /// no lock on the tables, so that a locked table does not take all instances out of service.
    public static let readiness =
        "SELECT "
        + Item.columnNames.map { "has_column_privilege('items', '\($0)', 'SELECT')" }.joined(separator: " AND ")
        + IdempotencyKey.columnNames.map { " AND has_column_privilege('idempotency_keys', '\($0)', 'SELECT')" }.joined()

    /// Each statement is planned once per connection; PostgreSQL plans a statement whose limit is a parameter at every
    /// execution. A plan may outlive the size of the table it was made for, so it must use an index, also on a table
    /// that is empty now: every statement here has one, except for searches, which look whether theirs is there. They are
    /// planned with a high cost, for which PostgreSQL would compile them.
    public static let sessionSettings = [
        ("plan_cache_mode", "force_generic_plan"), ("enable_seqscan", "off"), ("jit", "off"),
    ]

    /// The statements that a connection prepares.
    public static let statements =
        [
            find, findMany, firstPage, firstPageDescending, nextPage, nextPageDescending, insert, insertMany,
            insertOnce, findKey, update, delete,
        ] + LongItems.statements + FilteredLists.statements + batchStatements

    private static let find = Statement(
        "find_item", "SELECT \(Item.boundedColumns) FROM items WHERE id = $1::int8", lookingUp: findMany,
        result: Item.byteLimit,
        or: Statement.Fallback(LongItems.find, above: Item.substituteByteCount, where: Item.lackTexts))
    private static let findMany = Statement(
        "find_items", "SELECT \(Item.boundedColumns) FROM items WHERE id = ANY($1::int8[])")
    static let firstPage = page("list_items", PlainList.first, or: LongItems.firstPage)
    static let firstPageDescending = page(
        "list_items_descending", PlainList.firstDescending, or: LongItems.firstPageDescending)
    static let nextPage = page("list_items_after", PlainList.next, or: LongItems.nextPage)
    static let nextPageDescending = page(
        "list_items_descending_after", PlainList.nextDescending, or: LongItems.nextPageDescending)
    /// Sorted by the column itself: for a narrower `id` the selected expression is another value, which no index sorts.
    /// The constant inner limit is for the planner: for an unknown limit it assumes a tenth of the rows, and on a large
    /// table would choose a sort or JIT compilation.
    private static func page(_ name: String, _ choice: String, or long: Statement) -> Statement {
        Statement(
            name,
            """
            SELECT * FROM (
                SELECT \(Item.boundedColumns) FROM items \(choice) LIMIT \(PageRequest.limits.upperBound + 1)
            ) AS page LIMIT $1::int8
            """,
            result: PageRequest.resultByteLimit,
            or: Statement.Fallback(long, above: Item.substituteByteCount, where: Item.lackTexts))
    }
    private static let insert = Statement(
        "create_item", "INSERT INTO items (name, description) VALUES ($1::text, $2::text) RETURNING \(Item.columns)",
        inserting: insertMany)
    /// Rows are inserted in the order of the arrays' elements, and usually returned in that order; but this is not
    /// guaranteed, and a trigger may change a row or drop it. So each row is compared with the requested values at its
    /// position. If it differs or is missing, its id is divided by zero, which rolls all of them back, and each runs as
    /// a single insert.
    private static let insertMany = Statement(
        "create_items",
        """
        WITH new AS (
            SELECT * FROM unnest($1::text[], $2::text[]) WITH ORDINALITY AS new (name, description, place)
        ), created (id, name, description, created_at, updated_at) AS (
            INSERT INTO items (name, description) SELECT name, description FROM new ORDER BY place
            RETURNING \(Item.columns)
        ), placed AS (
            SELECT *, row_number() OVER () AS place FROM created
        )
        SELECT
            coalesce(placed.id, 0)
                / coalesce(
                    placed.name = new.name AND placed.description IS NOT DISTINCT FROM new.description, false)::int4,
            placed.name, placed.description, created_at, updated_at
        FROM new LEFT JOIN placed USING (place) ORDER BY place
        """,
        kind: .insert)
    /// The row that a valid key created, by the columns of `idempotency_keys`. It is locked, so that a replay is a
    /// transaction that writes, and its commit waits for a synchronous standby, as the create's commit should have:
    /// that wait may have been cut short.
    private static let known = """
        SELECT item_id, created_at, body_hash = $4::bytea AS is_same, CASE
            -- Instances of former versions give an old key a new item, and know nothing of its answer.
            WHEN (answer->>0)::int8 = item_id THEN answer
            ELSE json_build_array(item_id, $1::text, $2::text, created_at, created_at)
        END AS answer
        FROM idempotency_keys WHERE key = $3::text AND created_at >= now() - \(IdempotencyKey.lifetime) FOR KEY SHARE
        """
    /// The columns of an item as it was answered, whether it is new, and whether the body is the one that created it.
    private static let repeated = """
        SELECT item_id, answer->>1, answer->>2, (answer->>3)::timestamptz, (answer->>4)::timestamptz, false, is_same
        FROM known
        """
    /// Creates an item and stores its key, or finds the item of an existing key: the columns of `repeated`; no row when
    /// a trigger dropped the item.
    ///
    /// The item is inserted first, because only the table can give it an id. If another transaction stores the same
    /// key, the insert of the key waits for it, and this statement fails when that transaction commits (23505). Then
    /// nothing of it has happened, and `findKey` returns the item of the key. An existing key uses no number of the
    /// sequence.
    private static let insertOnce = Statement(
        "create_item_once",
        """
        WITH known AS (\(known)), created AS (
            INSERT INTO items (name, description) SELECT $1::text, $2::text WHERE NOT EXISTS (SELECT FROM known)
            RETURNING \(Item.columns)
        ), expired AS (
            DELETE FROM idempotency_keys WHERE key = $3::text AND created_at < now() - \(IdempotencyKey.lifetime) RETURNING 1
        ), taken AS (
            INSERT INTO idempotency_keys (key, body_hash, item_id, created_at, answer)
            SELECT $3::text, $4::bytea, id, now(), CASE
                WHEN (name, description, created_at, updated_at) IS DISTINCT FROM ($1::text, $2::text, now(), now())
                THEN json_build_array(id, name, description, created_at, updated_at)
            END
            -- The count has the old key removed first.
            FROM created WHERE (SELECT count(*) FROM expired) >= 0
        )
        SELECT \(Item.columns), true, true FROM created
        UNION ALL
        \(repeated)
        """,
        kind: .update)
    /// The item of a key, in the same columns.
    private static let findKey = Statement(
        "find_idempotency_key", "WITH known AS (\(known)) \(repeated)", kind: .update)

    /// The item with this id; nil if there is none.
    func find(_ id: Int64) -> Query<Item?> {
        pool.query(Self.find, key: id) { try $0.first.map(Item.init) }
    }

    /// Creates an item with a valid name and description.
    func insert(_ new: NewItem.Valid) -> Query<Item> {
        pool.query(Self.insert, [.text(new.name), .optionalText(new.description)]) { try Item(Self.row(of: $0)) }
    }

    /// The row that an insert returned.
    private static func row(of rows: Rows) throws(DatabaseError) -> Row {
        guard let row = rows.first else { throw .droppedByTrigger }
        return row
    }

    /// The outcome of a create with a key.
    enum OnceOutcome {
        case created(Item)
        /// The key's first answer: the item as it was created.
        case repeated(Item)
        /// The key was used with another body.
        case conflict

        fileprivate init(_ row: Row) throws(DatabaseError) {
            guard try row.bool(6) else {
                self = .conflict
                return
            }
            self = try row.bool(5) ? .created(Item(row)) : .repeated(Item(row))
        }
    }

    /// Creates an item with a valid name and description, unless the key created one in the last 24 hours.
    ///
    /// - Parameter hash: SHA-256 of the request's body, which must be the same each time.
    func insertOnce(_ new: NewItem.Valid, key: IdempotencyKey, hash: [UInt8]) async throws(DatabaseError)
        -> OnceOutcome
    {
        let parameters: [Parameter] = [
            .text(new.name), .optionalText(new.description), .text(key.text), .bytes(hash),
        ]
        do {
            return try OnceOutcome(Self.row(of: try await pool.query(Self.insertOnce, parameters)))
        } catch  where error.errorClass == .constraint {
            // Another request with the key was faster; it may also have created the item that this one conflicts with.
            guard let known = try await pool.query(Self.findKey, parameters).first else { throw error }
            return try OnceOutcome(known)
        }
    }
}
