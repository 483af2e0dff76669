import Formatting
import Postgres
import Vial

/// The database's and the pool's state for `/db`.
struct DatabaseStatus: JSONRepresentable {
    /// Sizes and counts that the server maintains anyway: the statement does not read the table.
    ///
    /// - Parameter countedTable: the table whose estimated row count is returned, null if there is no such table. A
    ///   plain identifier that needs no quotes.
    static func statement(countedTable: String?) -> Statement {
        let count = countedTable.map { table in
            "(SELECT greatest(reltuples, 0)::int8 FROM pg_class WHERE oid = to_regclass('\(table)'))"
        }
        return Statement(
            "database_status",
            """
            SELECT current_setting('server_version'), current_database()::text, pg_database_size(current_database()),
                   (SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'client backend'),
                   current_setting('max_connections')::int8,
                   \(count ?? "NULL::int8"),
                   pg_is_in_recovery()
            """)
    }

    let countedTable: String?
    let rows: Rows
    let load: PoolLoad
    let minimum: Int
    let maximum: Int

    func write(to json: inout JSONWriter) throws {
        guard let row = rows.first else { throw DatabaseError.unexpectedResult("the database status has no row") }
        json.beginObject()
        json.key("server_version")
        json.value(try row.text(0))
        json.key("database")
        json.value(try row.text(1))
        json.key("size_bytes")
        json.value(try row.int64(2))
        json.key("connections")
        json.beginObject()
        json.key("used")
        json.value(try row.int64(3))
        json.key("max")
        json.value(try row.int64(4))
        json.endObject()
        if let countedTable {
            json.key(named: "estimated_\(countedTable)")
            if try row.isNull(5) { json.null() } else { json.value(try row.int64(5)) }
        }
        json.key("is_replica")
        json.value(try row.bool(6))
        json.key("pool")
        json.beginObject()
        for (key, value) in pool {
            json.key(key)
            json.value(value)
        }
        json.endObject()
        json.endObject()
    }

    private var pool: [(StaticString, Int)] {
        [
            ("min", minimum), ("max", maximum), ("open", load.open), ("idle", load.idle), ("in_use", load.inUse),
            ("waiting", load.waiting),
        ]
    }
}
