import Chassis
import Postgres

/// The table `schema_migrations`, in which former versions record applied steps, and other programs record theirs.
enum FormerRecord: Equatable {
    case none
    /// It has this many of this service's first steps.
    case ours(stepCount: Int)
    /// Another program's table, which is left alone.
    case foreign

    /// The steps that former versions know.
    static let stepCount = 2
    private static let columns = "version integer, name text, applied_at timestamp with time zone"

    /// - Parameters:
    ///   - columns: the table's columns with their types, in order; nil if there is no table.
    ///   - rows: returns version and name of every step, in order, of a table with these columns.
    init(columns: String?, rows: () throws(DatabaseError) -> [[String?]]) throws(DatabaseError) {
        guard let columns else {
            self = .none
            return
        }
        guard columns == Self.columns else {
            self = .foreign
            return
        }
        let found = try rows()
        let known = Migration.items.prefix(Self.stepCount).enumerated().map { ["\($0 + 1)", $1.name] as [String?] }
        self = known.starts(with: found) ? .ours(stepCount: found.count) : .foreign
    }

    init(_ session: Session) throws(DatabaseError) {
        let columns = try session.execute(
            """
            SELECT string_agg(attname || ' ' || format_type(atttypid, NULL), ', ' ORDER BY attnum) FROM pg_attribute
            WHERE attrelid = to_regclass('schema_migrations') AND attnum > 0 AND NOT attisdropped
            """)
        try self.init(columns: columns.first?.first ?? nil) { () throws(DatabaseError) in
            try session.execute("SELECT version, name FROM schema_migrations ORDER BY version")
        }
    }

    /// SQL that records its steps in the new record, which is empty.
    var adoption: String? {
        guard case .ours = self else { return nil }
        return "INSERT INTO items_migrations SELECT version, name, applied_at FROM schema_migrations"
    }

    /// SQL that records all steps of former versions as applied, because those may start beside this version or after
    /// it; nil when they are recorded, or when the table is another program's.
    var completion: String? {
        let done: Int
        switch self {
        case .foreign: return nil
        case .none: done = 0
        case .ours(let count): done = count
        }
        guard done < Self.stepCount else { return nil }
        return """
            CREATE TABLE IF NOT EXISTS schema_migrations (
                version int PRIMARY KEY, name text NOT NULL, applied_at timestamptz NOT NULL DEFAULT now()
            );
            INSERT INTO schema_migrations SELECT version, name, applied_at FROM items_migrations
            WHERE version > \(done) AND version <= \(Self.stepCount);
            """
    }
}
