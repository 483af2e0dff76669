import Glibc
import Postgres
import Synchronization
import Testing

/// An empty schema for one test in the PostgreSQL that the environment names; dropped with the last reference.
final class EmptySchema: Sendable {
    static let options = ConnectionOptions(
        host: variable("ITEMS_TEST_DB_HOST") ?? "", database: variable("ITEMS_TEST_DB_NAME") ?? "items",
        user: variable("ITEMS_TEST_DB_USER") ?? "items")

    private static let count = Atomic<Int>(0)
    private let name = "schema_\(getpid())_\(count.wrappingAdd(1, ordering: .relaxed).newValue)"

    init() throws {
        try Session(Self.options).execute("CREATE SCHEMA \(name)")
    }

    deinit {
        _ = try? Session(Self.options).execute("DROP SCHEMA \(name) CASCADE")
    }

    /// A connection that sees only this schema.
    func session() throws(DatabaseError) -> Session {
        let session = try Session(Self.options)
        try use(in: session)
        return session
    }

    /// Makes a connection see only this schema.
    func use(in session: Session) throws(DatabaseError) {
        try session.execute("SET search_path = \(name)")
    }

    fileprivate static func variable(_ name: String) -> String? {
        // The text belongs to the environment, which is not changed, and is copied at once.
        unsafe getenv(name).map { unsafe String(cString: $0) }
    }
}

extension Trait where Self == ConditionTrait {
    /// Skips a test if there is no PostgreSQL server.
    static var needsServer: Self {
        .enabled(if: EmptySchema.variable("ITEMS_TEST_DB_HOST") != nil, "ITEMS_TEST_DB_HOST names no server")
    }
}
