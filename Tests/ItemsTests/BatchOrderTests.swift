import Postgres
import Testing

@testable import Chassis
@testable import Items
@testable import TestSupport

/// The rows of a batch are in the order of the request, in whatever order the server inserts and returns them.
@Suite(.needsServer, .timeLimit(.minutes(1)))
struct BatchOrderTests {
    private let schema: EmptySchema
    private let session: Session

    init() throws {
        schema = try EmptySchema()
        session = try schema.session()
        try Migrations.items().apply(to: session)
    }

    private static let names = ["b", "a", "same", "c", "same", "a"]
    private static let descriptions = ["1", "2", "NULL", "3", "NULL", "4"]
    private static let requested = zip(names, descriptions).map { [$0, $1 == "NULL" ? nil : $1] }

    /// The names and descriptions that the statement returns when rows are inserted in another order, and their ids.
    private func insert(_ statement: Statement, _ more: String = "", order: String) throws -> [[String?]] {
        let sql = statement.sql.replacing("FROM new ORDER BY place\n", with: "FROM new ORDER BY \(order)\n")
        try #require(order == "place" || sql != statement.sql)
        try session.execute("PREPARE batch AS \(sql)")
        defer { _ = try? session.execute("DEALLOCATE batch") }
        return try session.execute(
            "EXECUTE batch('{\(Self.names.joined(separator: ","))}', '{\(Self.descriptions.joined(separator: ","))}'\(more))"
        )
    }

    @Test(arguments: ["place", "place DESC", "description, name", "place % 2, place DESC"])
    func `whatever the order of the inserts`(order: String) throws {
        let rows = try insert(ItemStore.insertBatch, order: order)
        #expect(rows.map { Array($0[1...2]) } == Self.requested)
        #expect(Set(rows.map { $0[0] }).count == rows.count)
        for row in rows {
            let stored = try session.execute("SELECT name, description FROM items WHERE id = \(row[0] ?? "")")
            #expect(stored == [Array(row[1...2])])
        }
    }

    @Test(arguments: ["place", "place DESC", "description, name"])
    func `and so are the stored ids of a key`(order: String) throws {
        let rows = try insert(ItemStore.insertBatchOnce, ", 'key', 'hash'", order: order)
        #expect(rows.map { Array($0[1...2]) } == Self.requested)
        let stored = try session.execute(
            "SELECT id FROM idempotency_keys, unnest(item_ids) WITH ORDINALITY AS ids (id, place) ORDER BY place")
        #expect(stored.map { $0[0] } == rows.map { $0[0] })
        // The same request again.
        #expect(
            try insert(ItemStore.insertBatchOnce, ", 'key', 'hash'", order: order).map { $0[0] } == rows.map { $0[0] })
    }

    @Test func `where a trigger changes texts, the order is that of the inserts`() throws {
        try session.execute(
            """
            CREATE FUNCTION change() RETURNS trigger LANGUAGE plpgsql AS
                $$ BEGIN IF NEW.name = 'a' THEN NEW.name := 'z'; END IF; RETURN NEW; END $$;
            CREATE TRIGGER change BEFORE INSERT ON items FOR EACH ROW EXECUTE FUNCTION change();
            """)
        let rows = try insert(ItemStore.insertBatch, order: "place")
        #expect(rows.map { $0[1] } == Self.names.map { $0 == "a" ? "z" : $0 })
    }
}
