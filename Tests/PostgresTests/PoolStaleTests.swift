import Reactor
import Testing

@testable import Postgres

/// Outdated prepared statements.
@Suite(.needsServer, .timeLimit(.minutes(1)))
struct PoolStaleTests {
    @Test func `a changed column type reopens connections, and no statement fails`() async throws {
        try await withTable { table in
            let read = Statement("read", "SELECT number, label FROM \(table) WHERE number = $1::int8")
            let insert = Statement(
                "insert", "INSERT INTO \(table) VALUES ($1::int8, $2::text) RETURNING label", kind: .insert)
            let update = Statement(
                "update", "UPDATE \(table) SET label = $2::text WHERE number = $1::int8 RETURNING label", kind: .update)
            try await withPool(PoolBounds(minimum: 3, maximum: 3), statements: [read, insert, update]) {
                (test) async throws in
                await test.log.wait(for: 3, \.isOpened)
                for (round, type) in ["varchar(300)", "text", "varchar(200)"].enumerated() {
                    try await Server.execute("ALTER TABLE \(table) ALTER COLUMN label TYPE \(type)")
                    let number = Int64(round)
                    let outcomes = try await test.queryTogether([
                        (insert, [.int64(number), .text("x")]), (read, [.int64(number)]),
                        (insert, [.int64(number + 100), .text("x")]), (update, [.int64(0), .text("y")]),
                        (read, [.int64(number)]),
                    ])
                    for outcome in outcomes { #expect(outcome.error == nil) }
                }
                #expect(try await Server.value("SELECT count(*), count(DISTINCT number) FROM \(table)") == "6")
                #expect(test.log.has(\.isLost))
            }
        }
    }

    @Test func `missing prepared statements are prepared on another connection`() async throws {
        let read = Statement("read", "SELECT $1::int8")
        try await withPool(PoolBounds(minimum: 1, maximum: 1), statements: [read]) { (test) async throws in
            for number in 0..<5 as Range<Int64> {
                _ = try await test.pool.query(Statement("deallocate", "DEALLOCATE ALL", kind: .update))
                #expect(try await test.pool.query(read, [.int64(number)])[0].int64(0) == number)
            }
            #expect(test.log.count(\.isLost) == 5)
        }
    }

    @Test func `a table that only new sessions can resolve is found`() async throws {
        let name = Server.uniqueName()
        try await Server.execute(
            """
            CREATE SCHEMA \(name)_a; CREATE SCHEMA \(name)_b;
            CREATE TABLE \(name)_a.moving (number int8); CREATE TABLE \(name)_path (path text);
            INSERT INTO \(name)_path VALUES ('\(name)_a');
            """)
        let insert = Statement("insert", "INSERT INTO moving VALUES ($1::int8) RETURNING number", kind: .insert)
        let path = "SELECT set_config('search_path', path || ',public', false) FROM \(name)_path"
        try await withPool(PoolBounds(minimum: 1, maximum: 1), statements: [insert], preparing: path) {
            (test) async throws in
            _ = try await test.pool.query(insert, [.int64(1)])
            try await Server.execute(
                "ALTER TABLE \(name)_a.moving SET SCHEMA \(name)_b; UPDATE \(name)_path SET path = '\(name)_b'")
            _ = try await test.pool.query(insert, [.int64(2)])
            #expect(try await Server.value("SELECT count(*) FROM \(name)_b.moving") == "2")
        }
        try await Server.execute(
            "DROP SCHEMA \(name)_a CASCADE; DROP SCHEMA \(name)_b CASCADE; DROP TABLE \(name)_path")
    }

    @Test func `waiting for a missing table is bounded, and its return is noticed`() async throws {
        try await withTable { table in
            let read = Statement("read", "SELECT count(*) FROM \(table)")
            try await withPool(PoolBounds(minimum: 1, maximum: 2), statements: [read]) { (test) async throws in
                #expect(try await test.pool.query(read)[0].int64(0) == 0)
                try await Server.execute("ALTER TABLE \(table) RENAME TO \(table)_away")
                for _ in 0..<10 {
                    let (error, elapsed) = try await test.failure(of: read)
                    // Even if no connection can be opened: health checks need the error.
                    #expect(error?.sqlState == "42P01")
                    #expect(elapsed < 3000 * milliseconds)
                }
                try await Server.execute("ALTER TABLE \(table)_away RENAME TO \(table)")
                await test.log.wait(\.isReconnected)
                #expect(try await test.pool.query(read)[0].int64(0) == 0)
            }
        }
    }

    @Test func `a stale plan is recognised even if errors include parameters`() async throws {
        try await withTable { table in
            let read = Statement("read", "SELECT number, label FROM \(table) WHERE number = $1::int8")
            let telling = "SET log_parameter_max_length_on_error = -1"
            try await withPool(PoolBounds(minimum: 1, maximum: 1), statements: [read], preparing: telling) {
                (test) async throws in
                #expect(try await test.pool.query(read, [.int64(1)]).count == 0)
                try await Server.execute("ALTER TABLE \(table) ALTER COLUMN label TYPE varchar(300)")
                #expect(try await test.pool.query(read, [.int64(1)]).count == 0)
                #expect(test.log.count(\.isLost) == 1)
            }
        }
    }

    @Test(arguments: [
        ("PERFORM 1 FROM nowhere", "42P01"), ("NEW.nowhere := 1", "42703"),
        ("EXECUTE 'SELECT 1 FROM nowhere'", "42P01"),
        ("PERFORM ('nowhere'::text)::regclass", "42P01"), ("RAISE SQLSTATE '3F000'", "3F000"),
        ("EXECUTE 'EXECUTE nowhere'", "26000"), ("RAISE SQLSTATE '08006'", "08006"),
        ("RAISE SQLSTATE '57P01'", "57P01"),
        ("RAISE SQLSTATE '25006'", "25006"),
        ("EXECUTE 'PREPARE twice_' || pg_backend_pid() || ' AS SELECT 1'", "42P05"),
    ])
    func `a trigger's error concerns only its statement, and no connection is lost`(
        line: String, state: String
    ) async throws {
        try await withTable { table in
            try await Server.execute(
                """
                CREATE FUNCTION \(table)_miss() RETURNS trigger LANGUAGE plpgsql AS $body$
                BEGIN \(line); RETURN NEW; END $body$;
                CREATE TRIGGER miss BEFORE INSERT ON \(table) FOR EACH ROW EXECUTE FUNCTION \(table)_miss();
                """)
            let insert = Statement("insert", "INSERT INTO \(table) VALUES ($1::int8) RETURNING number", kind: .insert)
            let preparing = "DO $$ BEGIN EXECUTE 'PREPARE twice_' || pg_backend_pid() || ' AS SELECT 1'; END $$"
            try await withPool(PoolBounds(minimum: 1, maximum: 1), statements: [insert], preparing: preparing) {
                (test) async throws in
                for number in 0..<10 as Range<Int64> {
                    let (error, _) = try await test.failure(of: insert, [.int64(number)])
                    #expect(error?.sqlState == state)
                }
                #expect(test.log.count(\.isSent) == 10)
                #expect(!test.log.has(\.isLost))
            }
            try await Server.execute("DROP FUNCTION \(table)_miss() CASCADE")
        }
    }

    @Test func `a default's missing table concerns only its statement, and no connection is lost`() async throws {
        try await withTable { table in
            try await Server.execute(
                "ALTER TABLE \(table) ALTER COLUMN label SET DEFAULT ('nowhere'::text)::regclass::text")
            let insert = Statement(
                "insert", "INSERT INTO \(table) (number) VALUES ($1::int8) RETURNING number", kind: .insert)
            try await withPool(PoolBounds(minimum: 1, maximum: 1), statements: [insert]) { (test) async throws in
                for number in 0..<10 as Range<Int64> {
                    let (error, _) = try await test.failure(of: insert, [.int64(number)])
                    #expect(error?.sqlState == "42P01")
                }
                #expect(!test.log.has(\.isLost))
            }
        }
    }

    @Test func `statements that miss a table again soon after a retirement fail at once`()
        async throws
    {
        try await withTable { table in
            let update = Statement(
                "update", "UPDATE \(table) SET label = 'x' WHERE number = $1::int8 RETURNING number", kind: .update)
            try await withPool(PoolBounds(minimum: 1, maximum: 1), statements: [update]) { (test) async throws in
                // As the first retirement would have done.
                await test.pool.noteRetirement()
                await test.log.wait(for: 2, \.isOpened)
                try await Server.execute("ALTER TABLE \(table) RENAME TO \(table)_away")
                let outcomes = try await test.queryTogether((0..<10).map { (update, [.int64($0)]) })
                for outcome in outcomes { #expect(outcome.error?.sqlState == "42P01") }
                #expect(test.log.count(\.isSent) == 10)
                try await Server.execute("ALTER TABLE \(table)_away RENAME TO \(table)")
            }
        }
    }
}

extension Pool {
    /// Retires all connections, which does not happen again before `retirementPause`.
    fileprivate func noteRetirement() async {
        await onLoop { $0.handle(.siblingRetired(.unavailable)) }
    }
}
