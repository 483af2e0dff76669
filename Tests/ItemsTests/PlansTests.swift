import Postgres
import Testing

@testable import Chassis
@testable import Items
@testable import TestSupport

/// The plans of the statements about items, whatever statistics the table has.
struct PlansTests {
    /// The plan of a statement on a connection like the pool's.
    private func plan(_ statement: Statement, on session: Session) throws -> String {
        let values = (1...9).filter { statement.sql.contains("$\($0)") }.map {
            statement.sql.contains("$\($0)::int8[]")
                ? "'{1,2}'"
                : statement.sql.contains("$\($0)::timestamptz[]")
                    ? "NULL" : statement.sql.contains("$\($0)::timestamptz") ? "'2024-11-01'" : "'1'"
        }
        let arguments = values.isEmpty ? "" : "(" + values.joined(separator: ", ") + ")"
        try session.execute("PREPARE planned AS \(statement.sql)")
        let rows = try session.execute("EXPLAIN (COSTS OFF) EXECUTE planned\(arguments)")
        try session.execute("DEALLOCATE planned")
        return rows.map { $0[0] ?? "" }.joined(separator: "\n")
    }

    @Test(
        .needsServer,
        arguments: [
            ("as it was created", ""),
            ("vacuumed while it was empty", "VACUUM items"),
            ("filled, and never analysed", "INSERT INTO items (name) SELECT 'a' FROM generate_series(1, 10000)"),
            ("analysed", "INSERT INTO items (name) SELECT 'a' FROM generate_series(1, 10000); ANALYZE items"),
        ])
    func `items are found by their key, never by reading or sorting the table`(
        _ table: String, preparation: String
    ) throws {
        let schema = try EmptySchema()
        let session = try schema.session()
        for (name, value) in ItemStore.sessionSettings { try session.execute("SET \(name) = '\(value)'") }
        try Migrations.items().apply(to: session)
        if !preparation.isEmpty { try session.execute(preparation) }
        try expectIndexScans(on: session)
    }

    @Test(.needsServer, arguments: ["smallserial", "serial", "bigserial"])
    func `items of an existing table are found by key too, for any integer type`(type: String) throws {
        let schema = try EmptySchema()
        let session = try schema.session()
        try session.execute(
            """
            CREATE TABLE items (
                id \(type) PRIMARY KEY, name varchar(80) NOT NULL, description varchar, created_at timestamp
            )
            """)
        try Migrations.items().apply(to: session)
        try expectIndexScans(on: session)
    }

    @Test(
        .needsServer,
        arguments: ["", "INSERT INTO items (name) SELECT 'a' FROM generate_series(1, 10000); ANALYZE items"])
    func `filtered lists use their indexes`(preparation: String) throws {
        let schema = try EmptySchema()
        let session = try schema.session()
        for (name, value) in ItemStore.sessionSettings { try session.execute("SET \(name) = '\(value)'") }
        try Migrations.items().apply(to: session)
        if !preparation.isEmpty { try session.execute(preparation) }
        for statement in FilteredLists.statements {
            let plan = try plan(statement, on: session)
            #expect(!plan.contains("Seq Scan on items"), "\(statement.name): \(plan)")
            if statement.name.contains("by_time") { #expect(plan.contains("items_created_at_id"), "\(plan)") }
            if statement.name.contains("indexed") { #expect(plan.contains("items_name_search"), "\(plan)") }
        }
    }

    private func expectIndexScans(on session: Session) throws {
        let filtered = FilteredLists.statements.map(\.name)
        for statement in ItemStore.statements
        where statement.sql.contains("FROM items") && !filtered.contains(statement.name) {
            let plan = try plan(statement, on: session)
            #expect(plan.contains("items_pkey"), "\(statement.name): \(plan)")
            #expect(!plan.contains("Seq Scan") && !plan.contains("Sort"), "\(statement.name): \(plan)")
        }
    }
}
