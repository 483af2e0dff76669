import Glibc
import Postgres
import Synchronization
import Testing

/// An empty schema of a test's own in the PostgreSQL that the environment names, gone with its last user.
final class Schema: Sendable {
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

    /// A connection for which the schema is all there is.
    func session() throws(DatabaseError) -> Session {
        let session = try Session(Self.options)
        try use(in: session)
        return session
    }

    /// Makes the schema all there is for a connection.
    func use(in session: Session) throws(DatabaseError) {
        try session.execute("SET search_path = \(name)")
    }

    fileprivate static func variable(_ name: String) -> String? {
        // The text belongs to the environment, which nobody changes, and is copied at once.
        unsafe getenv(name).map { unsafe String(cString: $0) }
    }
}

extension Trait where Self == ConditionTrait {
    /// Skips where there is no PostgreSQL to test with.
    static var needsServer: Self {
        .enabled(if: Schema.variable("ITEMS_TEST_DB_HOST") != nil, "ITEMS_TEST_DB_HOST names no server")
    }
}
