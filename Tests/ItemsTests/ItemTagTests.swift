import Formatting
import Postgres
import Testing
import Vial

@testable import Chassis
@testable import Items
@testable import TestSupport

struct ItemTagTests {
    @Test(arguments: [0, 1, -1, 1_730_462_400_123_456, -62_135_596_800_000_000, 253_402_300_799_999_999])
    func `is the time as JSON has it, and is read back`(microseconds: Int64) {
        let tag = ItemTag.tag(microseconds: microseconds)
        var json = JSONWriter()
        json.value(timestampMicroseconds: microseconds)
        #expect(tag.field == json.bytes && !tag.isWeak)
        #expect(ItemTag.time(in: tag) == Timestamp(microsecondsSinceEpoch: microseconds))
    }

    @Test(arguments: [
        "", "a", "2024-11-01T12:00:00Z", "2024-11-01T12:00:00.00000Z", "2024-11-01T12:00:00.0000000Z",
        "2024-11-01t12:00:00.000000z", "2024-11-01T12:00:00.000000+00:00",
        "2024-13-01T12:00:00.000000Z", "2024-11-31T12:00:00.000000Z", "2024-11-01T24:00:00.000000Z",
    ])
    func `another spelling is no item's tag`(text: String) {
        #expect(ItemTag.time(in: EntityTag(text)) == nil)
    }

    @Test(
        .needsServer,
        arguments: [
            "now()", "NULL", "'infinity'", "'-infinity'", "'0044-03-15 00:00:00+00 BC'", "'12024-01-01'",
            "'9999-12-31 23:59:59.999999+00'", "'0001-01-01 00:00:00.000001+00'",
        ])
    func `SQL has the same time as the JSON`(value: String) throws {
        let schema = try EmptySchema()
        let session = try schema.session()
        try Migrations.items().apply(to: session)
        try session.execute(
            "ALTER TABLE items ALTER updated_at DROP NOT NULL; INSERT INTO items (name, updated_at) VALUES ('a', \(value))"
        )
        let row = try #require(
            try session.execute(
                """
                SELECT to_char(\(ItemTag.sql) AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'),
                    CASE WHEN isfinite(updated_at) THEN (extract(epoch FROM updated_at) * 1000000)::int8
                        WHEN updated_at > now() THEN 9223372036854775807 ELSE -9223372036854775808 END
                FROM items
                """
            ).first)
        let microseconds = row[1].flatMap { Int64($0) } ?? 0
        let tag = ItemTag.tag(microseconds: value == "NULL" ? 0 : microseconds)
        #expect(row[0] == String(decoding: tag.text, as: UTF8.self))
    }
}

/// The statements that write one item.
@Suite(.needsServer, .timeLimit(.minutes(1)))
struct WritesTests {
    private static let current = "2024-11-01T12:00:00.000001Z"

    private struct Table {
        let session: Session

        init(_ schema: EmptySchema) throws {
            session = try schema.session()
            try Migrations.items().apply(to: session)
            for statement in ItemStore.statements where ["update_item", "delete_item"].contains(statement.name) {
                try session.execute("PREPARE \(statement.name) AS \(statement.sql)")
            }
        }

        /// One item, and nothing else.
        func reset() throws {
            try session.execute(
                """
                TRUNCATE items RESTART IDENTITY;
                INSERT INTO items (name, description, updated_at) VALUES ('a', 'b', '\(WritesTests.current)')
                """)
        }

        /// The outcome and the name afterwards.
        func update(_ arguments: String) throws -> [String?]? {
            guard let row = try session.execute("EXECUTE update_item(\(arguments))").first else { return nil }
            return [row[5], row[1], row[2]]
        }
    }

    private func literal(_ times: [Timestamp]?) -> String {
        times.map { "'{" + $0.map(\.description).joined(separator: ",") + "}'" } ?? "NULL"
    }

    private static let conditions: [Preconditions.Condition?] = [
        nil, .any, .tags([]), .tags([EntityTag(current)]), .tags([EntityTag(current, isWeak: true)]),
        .tags([EntityTag("2024-11-01T12:00:00.000000Z"), EntityTag(current)]), .tags([EntityTag("a")]),
    ]

    @Test func `decide about preconditions as the framework does, unless the item already is as requested`() throws {
        let schema = try EmptySchema()
        let table = try Table(schema)
        for ifMatch in Self.conditions {
            for ifNoneMatch in Self.conditions where ifNoneMatch != .any {
                let conditions = Preconditions(ifMatch: ifMatch, ifNoneMatch: ifNoneMatch, isRead: false)
                let isFit = conditions.verdict(on: EntityTag(Self.current)) == .perform
                let times = "\(literal(conditions.requiredTimes)), \(literal(conditions.excludedTimes))"
                try table.reset()
                let changed = try table.update("1, 'A', 'B', true, \(times)")
                #expect(changed == (isFit ? ["changed", "A", "B"] : ["refused", "a", "b"]), "\(conditions)")
                try table.reset()
                let same = try table.update("1, 'a', 'b', true, \(times)")
                let isExcluded =
                    Preconditions(ifMatch: nil, ifNoneMatch: ifNoneMatch, isRead: false)
                    .verdict(on: EntityTag(Self.current)) == .fail
                #expect(same == [isExcluded ? "refused" : "same", "a", "b"], "\(conditions)")
                try table.reset()
                let deleted = try table.session.execute("EXECUTE delete_item(1, \(times))")
                #expect(deleted == [[isFit ? "changed" : "refused"]], "\(conditions)")
                #expect(try table.session.execute("SELECT count(*) FROM items") == [[isFit ? "0" : "1"]])
            }
        }
    }

    @Test(arguments: [
        ("'A', NULL, false", ["changed", "A", "b"]), ("NULL, 'B', true", ["changed", "a", "B"]),
        ("NULL, NULL, true", ["changed", "a", nil]), ("NULL, 'B', false", ["same", "a", "b"]),
        ("'a', NULL, false", ["same", "a", "b"]), ("NULL, 'b', true", ["same", "a", "b"]),
        ("'a ', 'b', true", ["changed", "a ", "b"]),
    ])
    func `change the members that are given`(change: String, expected: [String?]) throws {
        let schema = try EmptySchema()
        let table = try Table(schema)
        try table.reset()
        #expect(try table.update("1, \(change), NULL, NULL") == expected)
        let version = try table.session.execute("SELECT updated_at > '\(Self.current)' FROM items")
        #expect(version == [[expected[0] == "changed" ? "t" : "f"]])
        #expect(try table.update("2, \(change), NULL, NULL") == nil)
    }

    @Test func `a change that a trigger drops is neither made nor refused`() throws {
        let schema = try EmptySchema()
        let table = try Table(schema)
        try table.reset()
        try table.session.execute(
            """
            CREATE FUNCTION drop_it() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN NULL; END $$;
            CREATE TRIGGER drop_it BEFORE UPDATE OR DELETE ON items FOR EACH ROW EXECUTE FUNCTION drop_it();
            """)
        #expect(try table.update("1, 'A', NULL, false, NULL, NULL") == ["dropped", "a", "b"])
        #expect(try table.session.execute("EXECUTE delete_item(1, NULL, NULL)") == [["dropped"]])
    }
}
