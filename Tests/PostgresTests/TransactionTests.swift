import Postgres
import Testing

@Suite(.needsServer, .timeLimit(.minutes(1)))
struct TransactionTests {
    private struct Change: Error {}

    private func withTable<Value>(_ body: (TestPool, Statement, Statement) async throws -> Value) async throws -> Value
    {
        try await PostgresTests.withTable { table in
            let insert = Statement("insert", "INSERT INTO \(table) VALUES ($1::int8)", kind: .insert)
            let count = Statement("count", "SELECT count(*) FROM \(table)")
            // Limits that are not reached even on a busy machine.
            let bounds = PoolBounds(minimum: 1, maximum: 2, wait: 30_000, statement: 30_000)
            return try await withPool(bounds, statements: [insert]) { test in
                try await body(test, insert, count)
            }
        }
    }

    @Test func `is committed when its body returns`() async throws {
        try await withTable { (test, insert, count) async throws in
            let value = try await test.pool.transaction { transaction in
                try await transaction.query(insert, [.int64(1)])
                try await transaction.query(insert, [.int64(2)])
                let own = try await transaction.query(count)[0].int64(0)
                // Not visible to other transactions yet.
                let others = try await test.pool.query(count)[0].int64(0)
                return [own, others]
            }
            #expect(value == [2, 0])
            #expect(try await test.pool.query(count)[0].int64(0) == 2)
            #expect(await test.pool.load().inUse == 0)
        }
    }

    @Test func `is rolled back when its body throws`() async throws {
        try await withTable { (test, insert, count) async throws in
            await #expect(throws: Change.self) {
                try await test.pool.transaction { transaction in
                    try await transaction.query(insert, [.int64(1)])
                    throw Change()
                }
            }
            #expect(try await test.pool.query(count)[0].int64(0) == 0)
            #expect(await test.pool.load().inUse == 0)
            #expect(!test.log.has(\.isLost))
        }
    }

    @Test func `is rolled back when one of its statements fails`() async throws {
        try await withTable { (test, insert, count) async throws in
            await #expect(throws: DatabaseError.self) {
                try await test.pool.transaction { transaction in
                    for number in [1, 2, 1] as [Int64] { try await transaction.query(insert, [.int64(number)]) }
                }
            }
            #expect(try await test.pool.query(count)[0].int64(0) == 0)
        }
    }

    @Test func `throws when its body swallowed a failure`() async throws {
        try await withTable { (test, insert, count) async throws in
            await #expect(throws: DatabaseError.unexpectedResult("ROLLBACK at COMMIT")) {
                try await test.pool.transaction { transaction in
                    try await transaction.query(insert, [.int64(1)])
                    _ = try? await transaction.query(insert, [.int64(1)])
                }
            }
            #expect(try await test.pool.query(count)[0].int64(0) == 0)
        }
    }

    @Test func `has its connection exclusively, and many take turns`() async throws {
        try await withTable { (test, insert, count) async throws in
            let identify = Statement("identify", "SELECT pg_current_xact_id()::text")
            try await withThrowingTaskGroup { group in
                for number in 0..<40 as Range<Int64> {
                    group.addTask {
                        try await test.pool.transaction { transaction in
                            let before = try await transaction.query(identify)[0].text(0)
                            try await transaction.query(insert, [.int64(number)])
                            let after = try await transaction.query(identify)[0].text(0)
                            #expect(before == after)
                        }
                    }
                    group.addTask { _ = try await test.pool.query(count) }
                }
                try await group.waitForAll()
            }
            #expect(try await test.pool.query(count)[0].int64(0) == 40)
            #expect(Int(try await Server.value(test.connectionsQuery) ?? "") ?? 9 <= 2)
        }
    }

    @Test func `waits for a connection no longer than the limit`() async throws {
        try await withPool(PoolBounds(minimum: 1, maximum: 1, wait: 100)) { (test) async throws in
            _ = try await test.pool.transaction { _ in
                await #expect(throws: DatabaseError.waitTimedOut) { try await test.pool.transaction { _ in } }
            }
            try await test.pool.transaction { _ in }
        }
    }

    @Test func `fails when its connection breaks`() async throws {
        try await withTable { (test, insert, count) async throws in
            await #expect(throws: DatabaseError.self) {
                try await test.pool.transaction { transaction in
                    try await transaction.query(insert, [.int64(1)])
                    let backend = try await transaction.query(Statement("pid", "SELECT pg_backend_pid()::int8"))[0]
                        .int64(0)
                    try await Server.execute("SELECT pg_terminate_backend(\(backend))")
                    await test.log.wait(\.isLost)
                    try await transaction.query(insert, [.int64(2)])
                }
            }
            #expect(try await test.pool.query(count)[0].int64(0) == 0)
        }
    }
}
