import Chassis
import Postgres

extension ItemStore {
    static let batchStatements = [insertBatch, insertBatchOnce, findBatch]

    /// The rows to insert, in order.
    private static let new = """
        SELECT * FROM unnest($1::text[], $2::text[]) WITH ORDINALITY AS new (name, description, place)
        """
    private static let created = """
        INSERT INTO items (name, description) SELECT name, description FROM new ORDER BY place
        RETURNING \(Item.columns)
        """
    /// The created rows with their places in the request, by `new` and `created`. They are inserted in that order, so that
    /// their ids are in it too, and usually returned in it, but this is not guaranteed. So the texts of each row are
    /// compared with the requested ones at its place; if any differ, each row gets the place of its texts, of equal ones
    /// in order. If a trigger has changed texts, nothing is known but the order in which the rows came.
    static let placed = """
        made AS (
            SELECT id, name COLLATE "C" AS name, description COLLATE "C" AS description, created_at, updated_at,
                row_number() OVER () AS place
            FROM created
        ), expected AS MATERIALIZED (
            SELECT bool_and(made.name = new.name AND made.description IS NOT DISTINCT FROM new.description) AS is_true
            FROM made JOIN new USING (place)
        ), placed AS (
            SELECT * FROM made WHERE (SELECT is_true FROM expected)
            UNION ALL
            SELECT id, made.name, made.description, created_at, updated_at,
                CASE WHEN bool_and(twin.place IS NOT NULL) OVER () THEN twin.place ELSE made.place END
            FROM (
                SELECT *, row_number() OVER (PARTITION BY name, description ORDER BY place) AS number FROM made
            ) AS made LEFT JOIN (
                SELECT *, row_number() OVER (
                    PARTITION BY name COLLATE "C", description COLLATE "C" ORDER BY place
                ) AS number FROM new
            ) AS twin
            ON twin.name = made.name AND twin.number = made.number
                AND twin.description IS NOT DISTINCT FROM made.description
            WHERE NOT (SELECT is_true FROM expected)
        )
        """
    /// A trigger may drop a row: then 1 is divided by zero, which undoes all (`HTTPError.init(refusedItem:)`).
    private static let id = "id / ((SELECT count(*) FROM created) = (SELECT count(*) FROM new))::int4"

    /// Its rows are in the request's order.
    static let insertBatch = Statement(
        "create_item_batch",
        """
        WITH new AS (\(new)), created (id, name, description, created_at, updated_at) AS (\(created)), \(placed)
        SELECT \(id) AS id, name, description, created_at, updated_at FROM placed ORDER BY place
        """,
        kind: .insert, result: PageRequest.resultByteLimit)

    /// The row of a valid key, as in `ItemStore`.
    private static let known = """
        SELECT item_ids, created_at, body_hash = $4::bytea AS is_same, answer FROM idempotency_keys
        WHERE key = $3::text AND created_at >= now() - \(IdempotencyKey.lifetime) FOR KEY SHARE
        """
    /// The items as they were answered, with their places; one row of nulls when the key belongs to another body.
    private static let repeated = """
        SELECT made.id, made.name, made.description, created_at, created_at, false, true, made.place
        FROM known, unnest(item_ids, $1::text[], $2::text[]) WITH ORDINALITY AS made (id, name, description, place)
        WHERE is_same AND item_ids IS NOT NULL AND answer IS NULL
        UNION ALL
        SELECT (made->>0)::int8, made->>1, made->>2, (made->>3)::timestamptz, (made->>4)::timestamptz, false, true, place
        FROM known, json_array_elements(answer->5) WITH ORDINALITY AS answered (made, place)
        WHERE is_same AND item_ids IS NOT NULL AND answer IS NOT NULL
        UNION ALL
        SELECT 0, NULL, NULL, NULL, NULL, false, false, 0 FROM known WHERE NOT is_same OR item_ids IS NULL
        """
    private static func inOrder(_ answer: String) -> String {
        """
        SELECT id, name, description, created_at, updated_at, is_new, is_same FROM (
            \(answer)
        ) AS answer (id, name, description, created_at, updated_at, is_new, is_same, place) ORDER BY place
        """
    }
    /// As `insertOnce`, for several items. The stored answer begins like that of one item, without its texts and times:
    /// instances of the version before read it when they get the same key with another body.
    static let insertBatchOnce = Statement(
        "create_item_batch_once",
        """
        WITH known AS (\(known)), new AS (\(new) WHERE NOT EXISTS (SELECT FROM known)),
        created (id, name, description, created_at, updated_at) AS (\(created)), \(placed), expired AS (
            DELETE FROM idempotency_keys WHERE key = $3::text AND created_at < now() - \(IdempotencyKey.lifetime) RETURNING 1
        ), taken AS (
            INSERT INTO idempotency_keys (key, body_hash, item_id, created_at, answer, item_ids)
            SELECT $3::text, $4::bytea, (array_agg(placed.id ORDER BY place))[1], now(), CASE
                WHEN bool_or((placed.name, placed.description, placed.created_at, placed.updated_at)
                    IS DISTINCT FROM (new.name, new.description, now(), now()))
                THEN json_build_array(
                    (array_agg(placed.id ORDER BY place))[1], NULL, NULL, NULL, NULL,
                    json_agg(
                        json_build_array(
                            placed.id, placed.name, placed.description, placed.created_at, placed.updated_at)
                        ORDER BY place))
            END, array_agg(placed.id ORDER BY place)
            FROM placed JOIN new USING (place)
            -- The count has the old key removed first.
            HAVING count(*) > 0 AND (SELECT count(*) FROM expired) >= 0
        )
        \(inOrder("SELECT \(id), name, description, created_at, updated_at, true, true, place FROM placed UNION ALL \(repeated)"))
        """,
        kind: .update, result: PageRequest.resultByteLimit)
    private static let findBatch = Statement(
        "find_idempotency_key_of_batch", "WITH known AS (\(known)) \(inOrder(repeated))", kind: .update,
        result: PageRequest.resultByteLimit)

    /// Creates items with valid names and descriptions: all, or none.
    func insert(_ new: NewItems) -> Query<CreatedItems> {
        pool.query(Self.insertBatch, [.texts(new.names), .texts(new.descriptions)], rows: new.count) {
            try CreatedItems($0, count: new.count)
        }
    }

    /// The outcome of a batch with a key.
    enum BatchOutcome {
        case created(CreatedItems)
        /// The key's first answer.
        case repeated(CreatedItems)
        /// The key was used with another body.
        case conflict

        fileprivate init(_ rows: Rows, count: Int) throws(DatabaseError) {
            guard let first = rows.first else { throw .droppedByTrigger }
            guard try first.bool(6) else {
                self = .conflict
                return
            }
            let items = try CreatedItems(rows, count: count)
            self = try first.bool(5) ? .created(items) : .repeated(items)
        }
    }

    /// Creates items, all or none, unless the key created some in the last 24 hours.
    ///
    /// - Parameter hash: SHA-256 of the request's body, which must be the same each time.
    func insertOnce(_ new: NewItems, key: IdempotencyKey, hash: [UInt8]) async throws(DatabaseError) -> BatchOutcome {
        let parameters: [Parameter] = [.texts(new.names), .texts(new.descriptions), .text(key.text), .bytes(hash)]
        do {
            let rows = try await pool.query(Self.insertBatchOnce, parameters, rows: new.count)
            return try BatchOutcome(rows, count: new.count)
        } catch  where error.errorClass == .constraint {
            // Another request with the key was faster; it may also have created what this one conflicts with.
            let rows = try await pool.query(Self.findBatch, parameters, rows: new.count)
            guard rows.first != nil else { throw error }
            return try BatchOutcome(rows, count: new.count)
        }
    }
}
