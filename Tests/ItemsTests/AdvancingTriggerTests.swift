import Postgres
import Testing

@testable import Chassis
@testable import Items
@testable import TestSupport

@Suite(.needsServer, .timeLimit(.minutes(1)))
struct AdvancingTriggerTests {
    private static let types = ["timestamptz", "timestamp", "date"]
    private static let times = [
        "now()", "NULL", "'infinity'", "'-infinity'", "'2100-01-01'", "'9999-12-31'", "'12000-01-01'",
        "'0044-03-15 BC'",
    ]

    private func session(_ schema: EmptySchema, type: String = "timestamptz", more: String = "") throws -> Session {
        let session = try schema.session()
        try session.execute(
            """
            CREATE TABLE items (
                id bigserial PRIMARY KEY, name varchar(80) NOT NULL, updated_at \(type) DEFAULT now() \(more)
            );
            """)
        try Migrations.items().apply(to: session)
        return session
    }

    private func tag(_ session: Session) throws -> String {
        try #require(try session.execute("SELECT (\(ItemTag.sql))::text FROM items").first?.first ?? nil)
    }

    @Test(arguments: types, times)
    func `each change by any program makes another tag`(type: String, time: String) throws {
        let schema = try EmptySchema()
        let session = try session(schema, type: type)
        try session.execute("INSERT INTO items (name, updated_at) VALUES ('0', \(time))")
        var tags = [try tag(session)]
        for change in [
            "name = '1'", "name = '2', updated_at = NULL", "description = 'a', updated_at = 'epoch'", "id = 2",
        ] {
            try session.execute("UPDATE items SET \(change)")
            tags.append(try tag(session))
        }
        #expect(Set(tags).count == tags.count, "\(tags)")
        // From the first time on that is neither infinite nor beyond what JSON has.
        #expect(tags.dropFirst().elementsEqual(tags.dropFirst().sorted()), "\(tags)")
    }

    @Test(arguments: types) func `a change of nothing makes none`(type: String) throws {
        let schema = try EmptySchema()
        let session = try session(schema, type: type)
        try session.execute("INSERT INTO items (name) VALUES ('0')")
        let before = try tag(session)
        try session.execute("UPDATE items SET name = '0', updated_at = updated_at")
        #expect(try tag(session) == before)
    }

    @Test func `another program may set a later time itself, and no earlier one`() throws {
        let schema = try EmptySchema()
        let session = try session(schema)
        try session.execute("INSERT INTO items (name, updated_at) VALUES ('0', '2024-11-01T00:00:00Z')")
        try session.execute("UPDATE items SET name = '1', updated_at = '2024-11-02T00:00:00Z'")
        #expect(try session.execute("SELECT updated_at = '2024-11-02T00:00:00Z' FROM items") == [["t"]])
        for time in ["'2024-11-01T00:00:00Z'", "'2024-11-02T00:00:00Z'", "'infinity'"] {
            try session.execute("UPDATE items SET name = name || '2', updated_at = \(time)")
            #expect(
                try session.execute("SELECT abs(extract(epoch FROM clock_timestamp() - updated_at)) < 60 FROM items")
                    == [["t"]], "\(time)")
        }
    }

    @Test func `columns that are not served make no difference, and may be of any kind`() throws {
        let schema = try EmptySchema()
        let session = try session(
            schema, more: ", details json, place point, upper text GENERATED ALWAYS AS (upper(name)) STORED")
        try session.execute("INSERT INTO items (name, details) VALUES ('a', '{}')")
        let before = try tag(session)
        try session.execute("UPDATE items SET details = '[]', place = '(1,2)'")
        #expect(try tag(session) == before)
        try session.execute("UPDATE items SET name = 'b'")
        #expect(try tag(session) != before)
    }

    @Test func `a served column may be given another type`() throws {
        let schema = try EmptySchema()
        let session = try session(schema)
        try session.execute("INSERT INTO items (name) VALUES ('a')")
        for change in ["name TYPE text", "updated_at TYPE timestamp", "description TYPE varchar(80)"] {
            try session.execute("ALTER TABLE items ALTER \(change)")
        }
        let before = try tag(session)
        try session.execute("UPDATE items SET name = 'b'")
        #expect(try tag(session) > before)
    }

    @Test func `another trigger that sets the time does not set it back`() throws {
        let schema = try EmptySchema()
        let session = try session(schema)
        try session.execute(
            """
            CREATE FUNCTION modified() RETURNS trigger LANGUAGE plpgsql AS
                $$ BEGIN NEW.updated_at := '2000-01-01'; RETURN NEW; END $$;
            CREATE TRIGGER modified BEFORE UPDATE ON items FOR EACH ROW EXECUTE FUNCTION modified();
            INSERT INTO items (name) VALUES ('a');
            """)
        let before = try tag(session)
        try session.execute("UPDATE items SET name = 'b'")
        #expect(try tag(session) > before)
    }

    @Test func `partitions have it too`() throws {
        let schema = try EmptySchema()
        let session = try schema.session()
        try session.execute(
            """
            CREATE TABLE items (id bigserial, name text NOT NULL, description text) PARTITION BY HASH (id);
            CREATE TABLE items_0 PARTITION OF items FOR VALUES WITH (MODULUS 1, REMAINDER 0);
            """)
        try Migrations.items().apply(to: session)
        try session.execute("INSERT INTO items (name) VALUES ('a')")
        let before = try tag(session)
        try session.execute("UPDATE items SET name = 'b'")
        #expect(try tag(session) > before)
    }

    @Test func `a table that is created again has it again`() throws {
        let schema = try EmptySchema()
        let session = try session(schema)
        try session.execute("DROP TABLE items, items_migrations, idempotency_keys, schema_migrations")
        try Migrations.items().apply(to: session)
        try session.execute("INSERT INTO items (name) VALUES ('a')")
        let before = try tag(session)
        try session.execute("UPDATE items SET name = 'b'")
        #expect(try tag(session) > before)
    }
}
