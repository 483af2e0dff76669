import Platform
import Reactor
import Synchronization
import Testing

@testable import Postgres

@Suite(.needsServer, .timeLimit(.minutes(1)))
struct FallbackTests {
    /// Limits that are not reached even on a busy machine.
    private func bounds(_ memory: MemoryBudget = .unlimited) -> PoolBounds {
        PoolBounds(minimum: 1, maximum: 1, wait: 30_000, statement: 30_000, memory: memory)
    }

    @Test func `takes over the memory that is reserved for its parameters`() async throws {
        let second = Statement("second", "SELECT octet_length($1::text)::int8")
        let first = Statement("first", "SELECT length($1::text)::int8", or: Statement.Fallback(second) { _ in true })
        let memory = MemoryBudget(limit: 16 * 1_048_576)
        try await withPool(bounds(memory)) { (test) async throws in
            let byteCount = 100_000
            // The rest has room for the parameters once, whatever a connection takes.
            let others = memory.share(of: .parameter) - memory.used - byteCount * 3 / 2
            memory.take(others)
            let text = Parameter.text(String(repeating: "x", count: byteCount))
            #expect(try await test.pool.query(first, [text])[0].int64(0) == Int64(byteCount))
            memory.release(others)
        }
        #expect(memory.used == 0)
    }

    @Test func `is replaced by the rows of the first statement when its time limit passes`() async throws {
        let slow = Statement("slow", "SELECT pg_sleep(20), $1::int8")
        let quick = Statement(
            "quick", "SELECT $1::int8", or: Statement.Fallback(slow, within: .milliseconds(50)) { _ in true })
        try await withPool(bounds()) { (test) async throws in
            #expect(try await test.pool.query(quick, [.int64(7)])[0].int64(0) == 7)
            // The server has stopped it, or the pool's only connection would be busy for 20 s.
            #expect(try await test.pool.query(PoolTests.one)[0].int64(0) == 1)
        }
    }

    @Test func `fails with the first statement's deadline where that is earlier than its limit`() async throws {
        let slow = Statement("slow", "SELECT pg_sleep(20), $1::int8")
        let quick = Statement(
            "quick", "SELECT $1::int8", or: Statement.Fallback(slow, within: .seconds(10)) { _ in true })
        try await withPool(bounds()) { (test) async throws in
            let (error, _) = try await test.failure(of: quick, [.int64(1)], within: 300 * 1_000_000)
            #expect(error == .deadlineExceeded)
        }
    }

    @Test func `answers within its time limit, and fails with its own error`() async throws {
        let second = Statement("second", "SELECT 10 / $1::int8")
        let first = Statement(
            "first", "SELECT $1::int8", or: Statement.Fallback(second, within: .seconds(10)) { _ in true })
        try await withPool(bounds()) { (test) async throws in
            #expect(try await test.pool.query(first, [.int64(5)])[0].int64(0) == 2)
            let error = await failure { () throws(DatabaseError) in try await test.pool.query(first, [.int64(0)]) }
            #expect(error?.sqlState == "22012")
        }
    }

    @Test func `may take its parameters from the rows of the first`() async throws {
        let second = Statement("second", "SELECT $1::int8 * 2, $2::text")
        let first = Statement(
            "first", "SELECT $1::int8 + 1",
            or: Statement.Fallback(
                second,
                with: { (rows) throws(DatabaseError) in
                    let number = try rows[0].int64(0)
                    if number == 0 { throw .unexpectedResult("zero") }
                    return [.int64(number), .text("two")]
                }, where: { _ in true }))
        try await withPool(bounds()) { (test) async throws in
            let row = try await test.pool.query(first, [.int64(4)])[0]
            #expect(try row.int64(0) == 10 && row.text(1) == "two")
            let error = await failure { () throws(DatabaseError) in try await test.pool.query(first, [.int64(-1)]) }
            #expect(error == .unexpectedResult("zero"))
        }
    }

    @Test func `is the first of several that is needed, and may have one itself`() async throws {
        let last = Statement("last", "SELECT 100 + $1::int8")
        let odd = Statement("odd", "SELECT 10 + $1::int8", or: Statement.Fallback(last) { (try? $0[0].int64(0)) == 13 })
        let large = Statement("large", "SELECT 20 + $1::int8")
        let first = Statement(
            "first", "SELECT $1::int8",
            or: Statement.Fallback(odd) { ((try? $0[0].int64(0)) ?? 0) % 2 == 1 },
            Statement.Fallback(large) { ((try? $0[0].int64(0)) ?? 0) > 5 })
        try await withPool(bounds()) { (test) async throws in
            for (number, answer) in [(2, 2), (3, 103), (4, 4), (5, 15), (6, 26), (7, 17)] as [(Int64, Int64)] {
                #expect(try await test.pool.query(first, [.int64(number)])[0].int64(0) == answer)
            }
        }
    }
}
