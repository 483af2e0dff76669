import Postgres
import Testing

@testable import Chassis
@testable import Items
@testable import TestSupport

struct ItemsTableTests {
    private static func column(
        _ type: String, isNullable: Bool = false, hasValue: Bool = true
    ) -> ItemsTable.Column {
        .init(
            type: type, isString: ["text", "character varying", "citext"].contains(type), isNullable: isNullable,
            hasValue: hasValue)
    }

    /// A table as this service creates it.
    private static let whole = ItemsTable(
        columns: [
            "id": column("bigint"), "name": column("text", hasValue: false),
            "description": column("text", isNullable: true, hasValue: false),
            "created_at": column("timestamp with time zone"), "updated_at": column("timestamp with time zone"),
        ], hasPrimaryKey: true, hasUniqueID: true)

    private func table(_ name: String, _ column: ItemsTable.Column?) -> ItemsTable {
        var table = Self.whole
        table.columns[name] = column
        return table
    }

    @Test func `a table as this service creates it needs no change`() throws {
        #expect(try Self.whole.completion() == [])
    }

    @Test(arguments: [
        ("id", "smallint"), ("id", "integer"), ("name", "character varying"), ("name", "citext"),
        ("created_at", "date"), ("updated_at", "timestamp without time zone"),
    ])
    func `a table with other supported types needs no change`(name: String, type: String) throws {
        #expect(try table(name, Self.column(type)).completion() == [])
    }

    @Test func `missing columns are added`() throws {
        #expect(try table("description", nil).completion() == ["ALTER TABLE items ADD COLUMN description text"])
        #expect(
            try table("updated_at", Self.column("date", hasValue: false)).completion() == [
                "ALTER TABLE items ALTER COLUMN updated_at SET DEFAULT now()"
            ])
        #expect(
            try table("id", Self.column("integer", isNullable: true)).completion() == [
                "ALTER TABLE items ALTER COLUMN id SET NOT NULL"
            ])
    }

    @Test func `an id without an index becomes a key if possible`() throws {
        var table = Self.whole
        table.hasUniqueID = false
        #expect(try table.completion() == ["ALTER TABLE items ADD UNIQUE (id)"])
        table.hasPrimaryKey = false
        #expect(try table.completion() == ["ALTER TABLE items ADD PRIMARY KEY (id)"])
        table.isPlain = false
        #expect(try table.completion() == [])
    }

    @Test(arguments: [
        ("id", "uuid", "items.id is uuid, and only smallint, integer or bigint can be served"),
        ("id", "numeric", "items.id is numeric, and only smallint, integer or bigint can be served"),
        ("name", "jsonb", "items.name is jsonb, and only text or varchar can be served"),
        ("description", "bytea", "items.description is bytea, and only text or varchar can be served"),
        ("created_at", "bigint", "items.created_at is bigint, and only timestamptz, timestamp or date can be served"),
        ("updated_at", "text", "items.updated_at is text, and only timestamptz, timestamp or date can be served"),
    ])
    func `an unsupported type is named`(name: String, type: String, reason: String) {
        #expect(throws: DatabaseError.unexpectedResult(reason)) { try table(name, Self.column(type)).completion() }
    }

    @Test(arguments: ["id", "name", "created_at"]) func `a missing column is named`(name: String) {
        #expect(throws: DatabaseError.unexpectedResult("the table items has no column \(name)")) {
            try table(name, nil).completion()
        }
    }

    @Test func `an id without generated values is rejected`() throws {
        var table = table("id", Self.column("bigint", hasValue: false))
        #expect(
            throws: DatabaseError.unexpectedResult(
                "items.id has no default, no identity, and no trigger that could set it")
        ) { try table.completion() }
        table.hasInsertTrigger = true
        #expect(try table.completion() == [])
    }

    @Test(
        .needsServer,
        arguments: [
            ("BEFORE INSERT ON items FOR EACH ROW", "ENABLE", true),
            ("BEFORE INSERT OR UPDATE ON items FOR EACH ROW", "ENABLE ALWAYS", true),
            ("BEFORE INSERT ON items FOR EACH ROW", "DISABLE", false),
            ("BEFORE INSERT ON items FOR EACH ROW", "ENABLE REPLICA", false),
            ("AFTER INSERT ON items FOR EACH ROW", "ENABLE", false),
            ("BEFORE INSERT ON items FOR EACH STATEMENT", "ENABLE", false),
            ("BEFORE UPDATE ON items FOR EACH ROW", "ENABLE", false),
        ])
    func `only a row-level before-insert trigger can generate ids`(
        when: String, state: String, gives: Bool
    ) throws {
        let schema = try EmptySchema()
        let session = try schema.session()
        try session.execute(
            """
            CREATE TABLE items (id bigint PRIMARY KEY, name text NOT NULL, description text);
            CREATE FUNCTION number() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN NEW; END $$;
            CREATE TRIGGER number \(when) EXECUTE FUNCTION number();
            ALTER TABLE items \(state) TRIGGER number;
            """)
        #expect(try ItemsTable(session).hasInsertTrigger == gives)
    }

    @Test(.needsServer) func `a key of another column and a nullable id are detected`() throws {
        let schema = try EmptySchema()
        let session = try schema.session()
        try session.execute(
            "CREATE TABLE items (id int DEFAULT 1, name text PRIMARY KEY, description text, created_at date, updated_at date)"
        )
        let table = try ItemsTable(session)
        #expect(table.hasPrimaryKey && !table.hasUniqueID && table.isPlain)
        #expect(table.columns["id"] == .init(type: "integer", isString: false, isNullable: true, hasValue: true))
        #expect(table.columns["name"] == .init(type: "text", isString: true, isNullable: false, hasValue: false))
        try Migrations.items().apply(to: session)
        #expect(try ItemsTable(session).completion() == [])
    }

    @Test(
        .needsServer,
        arguments: [
            "id bigint PRIMARY KEY DEFAULT 1, name short", "id number PRIMARY KEY DEFAULT 1, name text",
            "id bigint GENERATED ALWAYS AS IDENTITY, name char(9), PRIMARY KEY (id) INCLUDE (name)",
        ])
    func `a domain counts as its base type, and a key that includes more columns as a key`(columns: String) throws {
        let schema = try EmptySchema()
        let session = try schema.session()
        try session.execute(
            """
            CREATE DOMAIN whole AS integer; CREATE DOMAIN number AS whole; CREATE DOMAIN short AS varchar(9);
            CREATE TABLE items (\(columns), description text, created_at date, updated_at timestamptz)
            """)
        #expect(try ItemsTable(session).completion().count == 2)
        try Migrations.items().apply(to: session)
        #expect(try ItemsTable(session).completion() == [])
    }

    @Test(
        .needsServer,
        arguments: [
            "CREATE INDEX ON items (id)", "CREATE UNIQUE INDEX ON items (id) WHERE id > 0",
            "CREATE UNIQUE INDEX ON items (id, name)", "CREATE UNIQUE INDEX ON items (name)",
            "CREATE UNIQUE INDEX ON items (abs(id))",
        ])
    func `an index that does not make ids unique is not a key`(index: String) throws {
        let schema = try EmptySchema()
        let session = try schema.session()
        try session.execute("CREATE TABLE items (id bigserial, name text, description text); \(index)")
        try Migrations.items().apply(to: session)
        #expect(
            try session.execute(
                "SELECT count(*) FROM pg_index WHERE indrelid = 'items'::regclass AND indisprimary") == [["1"]])
    }

    @Test(.needsServer) func `an invalid index is not a key`() throws {
        let schema = try EmptySchema()
        let session = try schema.session()
        try session.execute(
            "CREATE TABLE items (id bigserial, name text, description text); INSERT INTO items VALUES (1, 'a'), (1, 'b')"
        )
        #expect(throws: DatabaseError.self) { try session.execute("CREATE UNIQUE INDEX CONCURRENTLY ON items (id)") }
        try session.execute("DELETE FROM items WHERE name = 'b'")
        try Migrations.items().apply(to: session)
        #expect(
            try session.execute(
                "SELECT count(*) FROM pg_index WHERE indrelid = 'items'::regclass AND indisprimary AND indisvalid")
                == [["1"]])
    }

    @Test(.needsServer) func `a table with inheriting tables is rejected, because their rows may repeat ids`()
        throws
    {
        let schema = try EmptySchema()
        let session = try schema.session()
        try session.execute(
            """
            CREATE TABLE items (id bigserial PRIMARY KEY, name text NOT NULL, description text);
            CREATE TABLE items_old () INHERITS (items);
            INSERT INTO items (id, name) VALUES (1, 'new'); INSERT INTO items_old (id, name) VALUES (1, 'old');
            """)
        let migrations = Migrations.items()
        #expect(
            throws: DatabaseError.unexpectedResult(
                "the table items has children (INHERITS), such as items_old, and their rows cannot be served")
        ) { try migrations.apply(to: session) }
        #expect(try session.execute("SELECT to_regclass('items_migrations')") == [[nil]])
        try session.execute("ALTER TABLE items_old NO INHERIT items")
        #expect(try migrations.apply(to: session) == Migration.items.map(\.name))
    }

    @Test(.needsServer) func `partitions are accepted`() throws {
        let schema = try EmptySchema()
        let session = try schema.session()
        try session.execute(
            """
            CREATE SEQUENCE numbers;
            CREATE TABLE items (id bigint NOT NULL DEFAULT nextval('numbers'), name text NOT NULL, description text)
                PARTITION BY HASH (name);
            CREATE TABLE items_0 PARTITION OF items FOR VALUES WITH (MODULUS 1, REMAINDER 0);
            """)
        #expect(try Migrations.items().apply(to: session) == Migration.items.map(\.name))
    }
}
