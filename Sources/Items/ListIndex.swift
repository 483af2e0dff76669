import Chassis
import Postgres

/// An index that filtered lists need. It is created where the table allows that, and a statement looks whether it is
/// there.
struct ListIndex: Equatable, Sendable {
    let name: String
    /// What is indexed, as `CREATE INDEX` has it behind the table; `CLASS` is in the place of the operator class.
    let definition: String
    /// Whether it needs the extension pg_trgm.
    let isOfExtension: Bool

    /// Searches read new entries one by one until so many are sorted into the index: its default would be 4 MiB.
    private static let pendingKibibytes = 128

    static let all = [byTime, ofNames]
    /// For the order of lists by time. By the column `id` itself it would seem to find ids too: on a table that was empty
    /// when a statement was planned PostgreSQL would read all of it for one.
    static let byTime = ListIndex(
        name: "items_created_at_id", definition: "(created_at, (\(idByTime("id"))))", isOfExtension: false)

    /// The SQL of an id in the order of lists by time.
    static func idByTime(_ id: String) -> String { "\(id) + 0" }
    /// For searches.
    static let ofNames = ListIndex(
        name: "items_name_search",
        definition: "USING gin ((\(searched("name"))) CLASS) WITH (gin_pending_list_limit = \(pendingKibibytes))",
        isOfExtension: true)

    /// SQL that is true when it exists and is complete.
    var exists: String { exists(where: "indisvalid") }
    private var isIncomplete: String { exists(where: "NOT indisvalid") }

    /// SQL that is true, for an index that does not exist, when it is being created, or when this role may create it: then
    /// this service does, at the latest when it is started again.
    var isToCome: String {
        """
        (\(isIncomplete) OR \(Self.isCreatable))
        """
    }

    private static let isCreatable = """
        EXISTS (
            SELECT FROM pg_class
            WHERE oid = to_regclass('items') AND relkind = 'r' AND pg_has_role(relowner, 'USAGE')
        )
        """

    private func exists(where condition: String) -> String {
        """
        EXISTS (
            SELECT FROM pg_index JOIN pg_class ON pg_class.oid = indexrelid
            WHERE indrelid = to_regclass('items') AND relname = '\(name)' AND \(condition)
        )
        """
    }

    /// The SQL of the text that a search looks at: a name in lower case. Of a name with more bytes than new ones may
    /// have, in a table from before, only the start, so that a row costs no more than others.
    ///
    /// - Parameter name: the column.
    static func searched(_ name: String) -> String {
        let limit = NewItem.nameLimit
        return """
            lower((CASE WHEN octet_length(\(name)::text) <= \(4 * limit) THEN \(name)::text \
            ELSE left(\(name)::text, \(limit)) END) COLLATE "default")
            """
    }
}

// Creation.
extension ListIndex {
    /// Up to this size of the table its indexes are created in the migration's transaction, which keeps writers waiting
    /// for less than a second; for a larger one later, without.
    static let tableByteLimit = 16 * 1_048_576

    /// Creates the extension where the role may. It belongs to the database, so it is not in the service's own schema.
    private static let extending = """
        DO $extending$ BEGIN
            EXECUTE 'CREATE EXTENSION IF NOT EXISTS pg_trgm'
                || CASE WHEN to_regnamespace('public') IS NULL THEN '' ELSE ' SCHEMA public' END;
        EXCEPTION WHEN OTHERS THEN NULL;
        END $extending$
        """

    /// Whether the extension is installed, and the role may create it.
    private static let mayExtend = """
        SELECT EXISTS (
            SELECT FROM pg_available_extension_versions JOIN pg_roles ON rolname = current_user
            WHERE name = 'pg_trgm'
                AND (rolsuper OR NOT superuser OR trusted AND has_database_privilege(current_database(), 'CREATE'))
        )
        """

    private static let operatorClass = """
        SELECT format('%I.%I', nspname, opcname) FROM pg_opclass JOIN pg_namespace ON pg_namespace.oid = opcnamespace
        WHERE opcname = 'gin_trgm_ops' LIMIT 1
        """

    /// SQL that creates the indexes of a small table; nothing of it fails. Empty for other tables.
    static func creation(_ session: Session) throws(DatabaseError) -> [String] {
        let isSmall =
            "SELECT relkind = 'r' AND pg_relation_size(oid) <= \(tableByteLimit) FROM pg_class WHERE oid = to_regclass('items')"
        guard try session.execute(isSmall).first?.first == "t" else { return [] }
        return [extending] + all.map(\.creationInTransaction)
    }

    private var creationInTransaction: String {
        """
        DO $creating$ DECLARE class text := (\(Self.operatorClass)); BEGIN
            IF class IS NOT NULL OR NOT \(isOfExtension) THEN
                EXECUTE replace(
                    $definition$CREATE INDEX IF NOT EXISTS \(name) ON items \(definition)$definition$, 'CLASS',
                    coalesce(class, ''));
            END IF;
        EXCEPTION WHEN OTHERS THEN NULL;
        END $creating$
        """
    }

    /// SQL that creates those that a table lacks, statement by statement and without keeping its writers waiting.
    static func laterCreation(_ session: Session) throws(DatabaseError) -> [KeptSchema.LaterChange] {
        let looks = all.map { "SELECT '\($0.name)', \($0.exists), \($0.isIncomplete)" }
        let rows = try session.execute(
            """
            SELECT * FROM (\(looks.joined(separator: " UNION ALL "))) AS found
            WHERE \(isCreatable)
            """)
        var changes: [KeptSchema.LaterChange] = []
        for (index, row) in zip(all, rows) where row[1] == "f" {
            var definition = index.definition
            if index.isOfExtension {
                let known = try session.execute(operatorClass).first?.first ?? nil
                if known == nil {
                    guard try session.execute(mayExtend).first?.first == "t" else { continue }
                    changes.append(.init(extending))
                }
                definition.replace("CLASS", with: known ?? "gin_trgm_ops")
            }
            // An attempt that was stopped leaves an index that is not complete: every write would still pay for it.
            let removal = "DROP INDEX CONCURRENTLY IF EXISTS \(index.name)"
            if row[2] == "t" { changes.append(.init(removal)) }
            changes.append(
                .init("CREATE INDEX CONCURRENTLY \(index.name) ON items \(definition)", cleanup: removal))
        }
        return changes
    }
}
