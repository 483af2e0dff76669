import Platform
import Reactor
import Testing

@testable import Postgres

/// Statements that succeed in transactions that fail or remain unconfirmed.
@Suite(.needsServer, .timeLimit(.minutes(1)))
struct PoolCommitTests {
    private static let one = PoolBounds(minimum: 1, maximum: 1)

    /// Runs `body` with a table whose rows act at the commit according to their label, and two inserts into it: one
    /// that shares its transaction and one that does not.
    private func withCommits(_ body: (TestPool, String, _ insert: Statement, _ update: Statement) async throws -> Void)
        async throws
    {
        try await withTable { table in
            try await Server.execute(
                """
                CREATE FUNCTION \(table)_commit() RETURNS trigger LANGUAGE plpgsql AS $$
                BEGIN
                    CASE NEW.label
                        WHEN 'fails' THEN RAISE EXCEPTION 'no' USING ERRCODE = '23514';
                        WHEN 'conflicts' THEN RAISE EXCEPTION 'no' USING ERRCODE = '40001';
                        WHEN 'is slow' THEN PERFORM pg_sleep(1);
                        WHEN 'warns' THEN RAISE WARNING 'take care';
                        WHEN 'is not replicated' THEN
                            RAISE WARNING 'canceling wait for synchronous replication due to user request';
                        ELSE NULL;
                    END CASE;
                    RETURN NULL;
                END $$;
                CREATE CONSTRAINT TRIGGER at_commit AFTER INSERT ON \(table) DEFERRABLE INITIALLY DEFERRED
                    FOR EACH ROW EXECUTE FUNCTION \(table)_commit();
                """)
            let sql = "INSERT INTO \(table) VALUES ($1::int8, $2::text) RETURNING number"
            let insert = Statement("insert", sql, kind: .insert)
            let update = Statement("update", sql, kind: .update)
            try await withPool(Self.one) { (test) async throws in try await body(test, table, insert, update) }
            try await Server.execute("DROP FUNCTION \(table)_commit() CASCADE")
        }
    }

    private func numbers(in table: String) async throws -> String? {
        try await Server.value("SELECT array_agg(number ORDER BY number) FROM \(table)")
    }

    @Test(arguments: [("fails", "23514"), ("conflicts", "40001")])
    func `a statement whose commit fails gets the error, and its neighbours take effect once each`(
        label: String, state: String
    ) async throws {
        try await withCommits { (test, table, insert, update) async throws in
            var queries: [(Statement, [Parameter])] = (0..<8).map { number in
                let isFaulty = number == 3 || number == 6
                return (number < 6 ? insert : update, [.int64(Int64(number)), .text(isFaulty ? label : "is fine")])
            }
            queries.append((PoolTests.one, []))
            let outcomes = try await test.queryTogether(queries)
            for (index, outcome) in outcomes.enumerated() {
                #expect(outcome.error?.sqlState == (index == 3 || index == 6 ? state : nil))
            }
            #expect(try await numbers(in: table) == "{0,1,2,4,5,7}")
            #expect(!test.log.has(\.isLost))
        }
    }

    @Test func `a read does not wait for the commit of an adjacent write`() async throws {
        try await withCommits { (test, table, insert, _) async throws in
            let pool = test.pool
            let (elapsed, error) = try await test.onLoop {
                let start = Instant.now
                async let write = failure { () throws(DatabaseError) in
                    try await pool.query(insert, [.int64(1), .text("is slow")])
                }
                async let read = pool.query(PoolTests.one)
                _ = try await read
                let elapsed = Instant.now.nanoseconds(since: start)
                return (elapsed, await write)
            }
            #expect(elapsed < 900 * milliseconds)
            #expect(error == nil)
        }
    }

    @Test func `a write that a standby may lack is not acknowledged and not repeated`() async throws {
        try await withCommits { (test, table, insert, update) async throws in
            let outcomes = try await test.queryTogether([
                (insert, [.int64(1), .text("is not replicated")]), (insert, [.int64(2), .text("is fine")]),
                (update, [.int64(3), .text("is not replicated")]), (update, [.int64(4), .text("is fine")]),
                (update, [.int64(5), .text("warns")]), (PoolTests.one, []),
            ])
            let expected: [DatabaseError?] = [.unconfirmed, .unconfirmed, .unconfirmed, nil, nil, nil]
            #expect(outcomes.map(\.error) == expected)
            #expect(try await numbers(in: table) == "{1,2,3,4,5}")
            #expect(!test.log.has(\.isLost))
        }
    }

    @Test func `a cancel request that stops nothing makes writes uncertain, not reads`() async throws {
        try await withTable { table in
            try await Server.execute(
                """
                CREATE FUNCTION \(table)_stays() RETURNS int8 LANGUAGE plpgsql AS $$
                BEGIN
                    PERFORM pg_sleep(4);
                    RETURN 1;
                EXCEPTION WHEN query_canceled THEN RETURN 2;
                END $$;
                """)
            let stays = "SELECT \(table)_stays()"
            let read = Statement("read", stays)
            let insert = Statement("insert", "INSERT INTO \(table) VALUES ($1::int8, 'x')", kind: .insert)
            let slow = Statement("slow", "INSERT INTO \(table) \(stays), 'x'", kind: .insert)
            try await withPool(Self.one) { (test) async throws in
                let limits: [Int: UInt64] = [0: 200 * milliseconds]
                let reads = try await test.queryTogether([(read, []), (PoolTests.one, [])], limits: limits)
                #expect(reads.map(\.error) == [.deadlineExceeded, nil])
                let writes = try await test.queryTogether([(slow, []), (insert, [.int64(1)])], limits: limits)
                #expect(writes.map(\.error) == [.deadlineExceeded, .unconfirmed])
                let error = await failure { () throws(DatabaseError) in try await test.pool.query(insert, [.int64(3)]) }
                #expect(error == nil)
                #expect(try await numbers(in: table) == "{1,2,3}")
                #expect(!test.log.has(\.isLost))
            }
            try await Server.execute("DROP FUNCTION \(table)_stays()")
        }
    }

    @Test func `a transaction that a standby may lack throws`() async throws {
        try await withCommits { (test, _, insert, _) async throws in
            await #expect(throws: DatabaseError.unconfirmed) {
                try await test.pool.transaction { transaction in
                    _ = try await transaction.query(insert, [.int64(1), .text("is not replicated")])
                }
            }
            try await test.pool.transaction { transaction in
                _ = try await transaction.query(insert, [.int64(2), .text("is fine")])
            }
        }
    }
}
