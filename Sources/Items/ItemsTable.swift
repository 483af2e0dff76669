import Postgres

/// The properties of the items' table, which may be older than this service, from PostgreSQL's catalogue.
struct ItemsTable {
    struct Column: Equatable {
        /// In PostgreSQL's spelling; for a domain, its base type: `timestamp with time zone`.
        let type: String
        /// Any string type; they have one format on the wire.
        let isString: Bool
        let isNullable: Bool
        /// The table supplies a value when an insert does not: a default, an identity, or an expression.
        let hasValue: Bool
    }

    var columns: [String: Column] = [:]
    var hasPrimaryKey = false
    /// Ids are unique, and an index finds them.
    var hasUniqueID = false
    /// A trigger runs before each insert, and may set the id.
    var hasInsertTrigger = false
    /// Whether it is an ordinary table: neither partitioned nor foreign.
    var isPlain = true
    /// A table that inherits from it, if there is one. Its rows are read with the items', and no index keeps the ids of
    /// both distinct.
    var child: String?

    /// The changes that the table needs to be served; none of them changes a value.
    ///
    /// - Throws: `DatabaseError.unexpectedResult` naming the column or the table that cannot be served.
    func completion() throws(DatabaseError) -> [String] {
        if let child {
            throw .unexpectedResult(
                "the table items has children (INHERITS), such as \(child), and their rows cannot be served")
        }
        let id = try column("id", of: "smallint, integer or bigint") {
            ["smallint", "integer", "bigint"].contains($0.type)
        }
        guard id.hasValue || hasInsertTrigger else {
            throw .unexpectedResult("items.id has no default, no identity, and no trigger that could set it")
        }
        _ = try column("name", of: "text or varchar", where: \.isString)
        var changes: [String] = []
        if columns["description"] == nil {
            changes.append("ALTER TABLE items ADD COLUMN description text")
        } else {
            _ = try column("description", of: "text or varchar", where: \.isString)
        }
        for name in ["created_at", "updated_at"] {
            let time = try column(name, of: "timestamptz, timestamp or date") {
                ["timestamp with time zone", "timestamp without time zone", "date"].contains($0.type)
            }
            if !time.hasValue { changes.append("ALTER TABLE items ALTER COLUMN \(name) SET DEFAULT now()") }
        }
        if !hasUniqueID && isPlain {
            changes.append("ALTER TABLE items ADD \(hasPrimaryKey ? "UNIQUE" : "PRIMARY KEY") (id)")
        }
        if id.isNullable { changes.append("ALTER TABLE items ALTER COLUMN id SET NOT NULL") }
        return changes
    }

    private func column(
        _ name: String, of types: String, where isServed: (Column) -> Bool
    ) throws(DatabaseError) -> Column {
        guard let column = columns[name] else { throw .unexpectedResult("the table items has no column \(name)") }
        guard isServed(column) else {
            throw .unexpectedResult("items.\(name) is \(column.type), and only \(types) can be served")
        }
        return column
    }
}

extension ItemsTable {
    /// - Throws: also when there is no such table.
    init(_ session: Session) throws(DatabaseError) {
        let table = try session.execute(
            """
            SELECT relkind = 'r',
                EXISTS (SELECT FROM pg_index WHERE indrelid = pg_class.oid AND indisprimary),
                EXISTS (
                    SELECT FROM pg_index JOIN pg_attribute ON attrelid = indrelid AND attnum = indkey[0]
                    WHERE indrelid = pg_class.oid AND attname = 'id' AND indisunique AND indisvalid AND indnkeyatts = 1
                        AND indpred IS NULL),
                EXISTS (
                    SELECT FROM pg_trigger
                    WHERE tgrelid = pg_class.oid AND tgenabled IN ('O', 'A') AND tgtype & 7 = 7),
                (SELECT min(inhrelid::regclass::text) FROM pg_inherits WHERE inhparent = pg_class.oid AND relkind <> 'p')
            FROM pg_class WHERE oid = to_regclass('items')
            """)
        guard let row = table.first else { throw .unexpectedResult("there is no table items") }
        isPlain = row[0] == "t"
        hasPrimaryKey = row[1] == "t"
        hasUniqueID = row[2] == "t"
        hasInsertTrigger = row[3] == "t"
        child = row[4]
        let rows = try session.execute(
            """
            SELECT attname, format_type(base.oid, NULL), base.typcategory = 'S', NOT attnotnull,
                atthasdef OR attidentity <> ''
            FROM pg_attribute, LATERAL (
                WITH RECURSIVE types AS (
                    SELECT * FROM pg_type WHERE oid = atttypid
                    UNION ALL
                    SELECT pg_type.* FROM types JOIN pg_type ON pg_type.oid = types.typbasetype WHERE types.typtype = 'd'
                )
                SELECT oid, typcategory FROM types WHERE typtype <> 'd'
            ) AS base
            WHERE attrelid = to_regclass('items') AND attnum > 0 AND NOT attisdropped
            """)
        for row in rows {
            guard let name = row[0], let type = row[1] else { continue }
            columns[name] = Column(
                type: type, isString: row[2] == "t", isNullable: row[3] == "t", hasValue: row[4] == "t")
        }
    }
}
