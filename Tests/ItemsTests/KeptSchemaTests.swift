import Postgres
import Testing

@testable import Chassis
@testable import Items
@testable import TestSupport

@Suite(.needsServer, .timeLimit(.minutes(1)))
struct KeptSchemaTests {
    private let names = Migration.items.map(\.name)

    @Test func `brings an empty schema up to date, once`() throws {
        let schema = try EmptySchema()
        let session = try schema.session()
        #expect(try Migrations.items().apply(to: session) == names)
        #expect(try Migrations.items().apply(to: session) == [])
        #expect(
            try session.execute("SELECT version, name FROM items_migrations ORDER BY version")
                == names.enumerated().map { ["\($0 + 1)", $1] })
        #expect(
            try session.execute("INSERT INTO items (name) VALUES ('a') RETURNING id, name, description") == [
                ["1", "a", nil]
            ])
        #expect(throws: DatabaseError.self) { try session.execute("INSERT INTO items (name) VALUES ('')") }
    }

    @Test func `keeps the items of the previous service, and completes their table`() throws {
        let schema = try EmptySchema()
        let session = try schema.session()
        try session.execute(
            """
            CREATE TABLE items (id serial PRIMARY KEY, name varchar(255) NOT NULL, description text);
            INSERT INTO items (name) VALUES ('kept')
            """)
        #expect(try Migrations.items().apply(to: session) == names)
        #expect(
            try session.execute("SELECT name, created_at IS NOT NULL, updated_at IS NOT NULL FROM items") == [
                ["kept", "t", "t"]
            ])
    }

    /// What a former version executes at its start.
    private static let formerVersion = """
        SELECT pg_advisory_xact_lock(1);
        CREATE TABLE IF NOT EXISTS schema_migrations (
            version int PRIMARY KEY, name text NOT NULL, applied_at timestamptz NOT NULL DEFAULT now()
        );
        """

    @Test func `continues after a former version's steps, which finds its record unchanged`() throws {
        let schema = try EmptySchema()
        let session = try schema.session()
        try session.execute(Self.formerVersion)
        for (index, step) in Migration.items.prefix(FormerRecord.stepCount).enumerated() {
            try session.execute(step.sql)
            try session.execute("INSERT INTO schema_migrations VALUES (\(index + 1), '\(step.name)', 'epoch')")
        }
        #expect(try Migrations.items().apply(to: session) == Array(names.dropFirst(FormerRecord.stepCount)))
        #expect(
            try session.execute("SELECT version, name FROM items_migrations ORDER BY version")
                == names.enumerated().map { ["\($0 + 1)", $1] })
        #expect(try session.execute("SELECT count(*) FROM items_migrations WHERE applied_at = 'epoch'") == [["2"]])
        #expect(try session.execute("SELECT max(version) FROM schema_migrations") == [["2"]])
        #expect(try Migrations.items().apply(to: session) == [])
    }

    @Test func `a former version that starts later finds its steps applied`() throws {
        let schema = try EmptySchema()
        let session = try schema.session()
        try Migrations.items().apply(to: session)
        try session.execute(Self.formerVersion)
        #expect(
            try session.execute("SELECT version, name FROM schema_migrations ORDER BY version")
                == names.prefix(FormerRecord.stepCount).enumerated().map { ["\($0 + 1)", $1] })
    }

    @Test(arguments: [
        "CREATE TABLE schema_migrations (version bigint PRIMARY KEY, dirty boolean NOT NULL);"
            + "INSERT INTO schema_migrations VALUES (20240101120000, false)",
        "CREATE TABLE schema_migrations (version varchar PRIMARY KEY);"
            + "INSERT INTO schema_migrations VALUES ('20240101120000')",
        formerVersion + "INSERT INTO schema_migrations VALUES (1, 'theirs'), (2, 'idempotency_keys')",
        formerVersion + "INSERT INTO schema_migrations VALUES (7, 'items')",
    ])
    func `leaves the record of another program unchanged`(record: String) throws {
        let schema = try EmptySchema()
        let session = try schema.session()
        try session.execute(record)
        let rows = try session.execute("SELECT * FROM schema_migrations ORDER BY version")
        #expect(try Migrations.items().apply(to: session) == names)
        #expect(try session.execute("SELECT * FROM schema_migrations ORDER BY version") == rows)
        #expect(try Migrations.items().apply(to: session) == [])
    }
}
