import HTTPTypes
import Testing
import Vial

@testable import Items
@testable import Postgres
@testable import TestSupport

struct RefusedItemTests {
    private func refusal(
        _ state: String, constraint: String? = nil, table: String? = "items", column: String? = nil,
        keyColumns: String? = nil, origin: DatabaseError.Origin = .other, isOfBatch: Bool = false
    ) -> HTTPError? {
        HTTPError(
            refusedItem: .server(
                .init(
                    sqlState: state, message: "internal", constraint: constraint, table: table, column: column,
                    keyColumns: keyColumns, origin: origin)), isOfBatch: isOfBatch)
    }

    @Test(arguments: ["22001", "22021", "22P05", "54000"])
    func `a text that the table rejects is 422`(state: String) {
        let error = refusal(state, table: nil)
        #expect(error?.status == .unprocessableContent)
        #expect(error?.errors == [])
    }

    @Test func `a rule of one column names it`() {
        #expect(
            refusal("23502", column: "description")?.errors == [.init(field: "description", message: "is required")])
        #expect(refusal("23502", column: "name")?.errors == [.init(field: "name", message: "is required")])
        for field in ["name", "description"] {
            let error = refusal("23514", constraint: "items_\(field)_check")
            #expect(error?.status == .unprocessableContent)
            #expect(error?.errors == [.init(field: field, message: "is refused by the database")])
        }
    }

    @Test func `a rule that one item of a batch breaks names the array`() {
        let error = refusal("23514", constraint: "items_name_check", isOfBatch: true)
        #expect(error?.errors.map(\.pointer) == ["/items"])
        #expect(error?.errors.map(\.message) == ["has an item whose name is refused by the database"])
    }

    @Test func `any other check is 422 without a name`() {
        let error = refusal("23514", constraint: "secret_rule")
        #expect(error?.status == .unprocessableContent)
        #expect(error?.errors == [])
        #expect(error?.detail == "The item breaks a rule of the database.")
    }

    @Test(arguments: ["23503", "23505", "23P01"]) func `a conflict with other rows is 409`(state: String) {
        #expect(refusal(state, constraint: "secret_rule")?.status == .conflict)
    }

    @Test func `an error that no request causes stays a server error`() {
        // A column that the service does not know, a generated id that is taken, another table's rule, and others.
        #expect(refusal("23502", column: "owner") == nil)
        #expect(refusal("23505", constraint: "items_pkey") == nil)
        #expect(refusal("23505", constraint: "idempotency_keys_pkey", table: "idempotency_keys") == nil)
        #expect(refusal("23514", constraint: "items_name_check", table: "audit", origin: .function) == nil)
        #expect(refusal("23505", constraint: "audit_key", table: "audit", keyColumns: "name", origin: .function) == nil)
        #expect(refusal("23000") == nil)
        #expect(refusal("42P01") == nil)
        #expect(refusal("57014") == nil)
        #expect(HTTPError(refusedItem: .connectionLost) == nil)
    }

    @Test func `a row that a trigger drops is 422, and 409 where it was to be deleted`() {
        #expect(HTTPError(refusedItem: .droppedByTrigger)?.status == .unprocessableContent)
        #expect(HTTPError(refusedItem: .droppedByTrigger, isDeletion: true)?.status == .conflict)
        #expect(HTTPError(refusedItem: .unexpectedResult("another")) == nil)
        // The statement of a batch divides by zero; a trigger that does is at fault itself.
        #expect(refusal("22012", table: nil)?.status == .unprocessableContent)
        #expect(refusal("22012", table: nil, origin: .function) == nil)
    }

    @Test func `a character that cannot be translated is that of the searched text, if there is one`() throws {
        let error = DatabaseError.server(.init(sqlState: "22P05", message: "internal", constraint: nil))
        let refused = { (path: String) in HTTPError(refusedSearch: error, of: try Request(.get, path)) }
        #expect(try refused("/api/items?q=a")?.status == .badRequest)
        for path in ["/api/items", "/api/items?limit=2", "/api/items/1", "/db"] { #expect(try refused(path) == nil) }
        let other = DatabaseError.server(.init(sqlState: "22021", message: "internal", constraint: nil))
        #expect(HTTPError(refusedSearch: other, of: try Request(.get, "/api/items?q=a")) == nil)
    }

    @Test(arguments: ["id", "id, name", "name, id"])
    func `a generated id that is taken is not the request's error, whatever the constraint is called`(columns: String) {
        #expect(refusal("23505", constraint: "items_number_key", keyColumns: columns) == nil)
        #expect(refusal("23P01", constraint: "items_number_excl", keyColumns: "id") == nil)
        #expect(refusal("23505", constraint: "items_name_key", keyColumns: "name")?.status == .conflict)
        #expect(refusal("23505", constraint: "items_lower_idx", keyColumns: "lower(name)")?.status == .conflict)
        // `EXCLUDE (name WITH =, id WITH <>)`
        #expect(refusal("23P01", constraint: "items_name_excl", keyColumns: "name, id")?.status == .conflict)
    }

    @Test func `a partition's rule counts as the table's`() {
        #expect(refusal("23505", constraint: "items_0_name_key", table: "items_0")?.status == .conflict)
        #expect(
            refusal("23514", constraint: "items_description_check", table: "items_0")?.errors == [
                .init(field: "description", message: "is refused by the database")
            ])
        #expect(refusal("23502", table: "items_0", column: "description")?.status == .unprocessableContent)
        #expect(refusal("23502", table: "items_0", column: "owner") == nil)
    }

    @Test func `a rule of the items is the request's error even if a function broke it`() {
        #expect(refusal("23514", constraint: "secret_rule", origin: .function)?.status == .unprocessableContent)
        #expect(refusal("23514", constraint: "secret_rule", table: "items_0", origin: .function) == nil)
    }

    @Test func `a row without a partition is not the request's error`() {
        #expect(refusal("23514") == nil)
        #expect(refusal("23514", table: "items_0") == nil)
    }

    @Test func `a check of a domain is 422`() {
        #expect(refusal("23514", constraint: "short_check", table: nil)?.status == .unprocessableContent)
        #expect(refusal("23514", constraint: "short_check", table: nil, origin: .function) == nil)
    }

    private static let partitions = "CREATE TABLE items_0 PARTITION OF items FOR VALUES WITH (MODULUS 1, REMAINDER 0)"
    private static let audit = """
        CREATE FUNCTION note() RETURNS trigger LANGUAGE plpgsql AS
            $$ BEGIN INSERT INTO audit VALUES (NEW.name); RETURN NEW; END $$;
        CREATE TRIGGER note BEFORE INSERT ON items FOR EACH ROW EXECUTE FUNCTION note();
        """

    @Test(
        .needsServer,
        arguments: [
            ("id int DEFAULT 1 UNIQUE, name text", "", nil),
            (
                "id int DEFAULT 1 PRIMARY KEY, name text", "ALTER TABLE items RENAME CONSTRAINT items_pkey TO number",
                nil
            ),
            ("id int DEFAULT 1, name text, UNIQUE (name, id)", "", nil),
            ("id int DEFAULT 1, name text, EXCLUDE (id WITH =)", "", nil),
            ("id int, name text UNIQUE", "", 409),
            ("id int, name text, EXCLUDE (name WITH =)", "", 409),
            ("id int, name text", "CREATE UNIQUE INDEX ON items (lower(name))", 409),
            ("id int, name text UNIQUE) PARTITION BY HASH (name", partitions, 409),
            ("id int, name text CHECK (name <> 'same')) PARTITION BY HASH (name", partitions, 422),
            ("id int, name text) PARTITION BY HASH (name", "", nil),
            (
                "id int, name text",
                "CREATE DOMAIN short AS text CHECK (VALUE <> 'same'); "
                    + "ALTER TABLE items ALTER name TYPE short", 422
            ),
            ("id int, name text", "CREATE TABLE audit (name text UNIQUE);" + audit, nil),
            ("id int, name text", "CREATE TABLE audit (name text CHECK (name <> 'same'));" + audit, nil),
        ] as [(String, String, Int?)])
    func `what PostgreSQL says of a rule has this status`(columns: String, more: String, status: Int?) throws {
        let schema = try EmptySchema()
        let session = try schema.session()
        try session.execute("CREATE TABLE items (\(columns)); \(more)")
        let error = #expect(throws: DatabaseError.self) {
            for _ in 0..<2 { try session.execute("INSERT INTO items (name) VALUES ('same')") }
        }
        #expect(try HTTPError(refusedItem: #require(error))?.status.code == status)
    }
}
