import Reactor
import Testing

@testable import Postgres

@Suite(.needsServer, .timeLimit(.minutes(1)))
struct LookupTests {
    /// Finds even keys, says how, and in what order many of them were read: the largest first.
    private static let even = Statement(
        "even", "SELECT $1::int8, 'one' WHERE $1::int8 % 2 = 0",
        many: Statement(
            "evens", "SELECT DISTINCT key, 'many' FROM unnest($1::int8[]) AS key WHERE key % 2 = 0 ORDER BY 1 DESC"))
    /// Fails at 0.
    private static let inverse = Statement(
        "inverse", "SELECT $1::int8, 100 / $1::int8",
        many: Statement("inverses", "SELECT key, 100 / key FROM unnest($1::int8[]) AS key"))
    private static let one = PoolBounds(minimum: 1, maximum: 1)

    private func lookups(_ statement: Statement, _ keys: [Int64]) -> [(Statement, [Parameter])] {
        keys.map { (statement, [.int64($0)]) }
    }

    @Test(arguments: [[], [even, even.many!]])
    func `lookups of one turn run as one, and each has the row of its key or none`(prepared: [Statement]) async throws {
        try await withPool(Self.one, statements: prepared) { (test) async throws in
            let keys: [Int64] = [4, 7, 2, 2, -6, .max - 1, 0, .min, 4, 1]
            let outcomes = try await test.queryTogether(lookups(Self.even, keys))
            for (key, outcome) in zip(keys, outcomes) {
                let rows = try outcome.get()
                #expect(rows.count == (key % 2 == 0 ? 1 : 0))
                if let row = rows.first {
                    #expect(try row.int64(0) == key)
                    #expect(try row.text(1) == "many")
                }
            }
        }
    }

    @Test func `a lookup without a neighbour runs as it is`() async throws {
        try await withPool(Self.one) { (test) async throws in
            #expect(try await test.pool.query(Self.even, [.int64(2)])[0].text(1) == "one")
            #expect(try await test.pool.query(Self.even, [.int64(3)]).count == 0)
        }
    }

    @Test func `statements of other kinds between lookups keep their place and their rows`() async throws {
        try await withPool(Self.one) { (test) async throws in
            let other = Statement("other", "SELECT $1::int8, 'other'")
            let update = Statement("change", "SELECT $1::int8, 'change'", kind: .update)
            let queries: [(Statement, [Parameter])] = [
                (Self.even, [.int64(2)]), (Self.even, [.int64(4)]), (other, [.int64(5)]), (Self.even, [.int64(6)]),
                (update, [.int64(7)]), (Self.even, [.int64(8)]), (Self.even, [.int64(10)]), (Self.inverse, [.int64(1)]),
            ]
            let rows = try await test.queryTogether(queries).map { try $0.get()[0] }
            #expect(try rows.map { try $0.int64(0) } == [2, 4, 5, 6, 7, 8, 10, 1])
            let texts = try rows.dropLast().map { try $0.text(1) }
            #expect(texts == ["many", "many", "other", "one", "change", "many", "many"])
        }
    }

    @Test func `more lookups than run as one are all answered`() async throws {
        try await withPool(Self.one) { (test) async throws in
            let keys = (0..<Int64(5 * Connection.lookupLimit)).map { $0 * 2 }
            let outcomes = try await test.queryTogether(lookups(Self.even, keys))
            #expect(try outcomes.map { try $0.get()[0].int64(0) } == keys)
        }
    }

    @Test func `a lookup that fails does not fail its neighbours`() async throws {
        try await withPool(Self.one) { (test) async throws in
            let outcomes = try await test.queryTogether(lookups(Self.inverse, [1, 0, 4]))
            #expect(try outcomes[0].get()[0].int64(1) == 100)
            #expect(throws: DatabaseError.self) { try outcomes[1].get() }
            #expect(try outcomes[2].get()[0].int64(1) == 25)
            // Only the one at fault is told of a failure.
            #expect(test.log.count { if case .failed = $0 { true } else { false } } == 1)
        }
    }

    @Test func `lookups whose connection breaks run again`() async throws {
        let dying = Statement("dying", "SELECT pg_terminate_backend(pg_backend_pid())", kind: .insert)
        try await withPool(Self.one) { (test) async throws in
            let outcomes = try await test.queryTogether(
                lookups(Self.even, [2, 4, 6]) + [(dying, [])] + lookups(Self.even, [8, 10]))
            for (index, key) in [0: 2, 1: 4, 2: 6, 4: 8, 5: 10] as [Int: Int64] {
                #expect(try outcomes[index].get()[0].int64(0) == key)
            }
            #expect(throws: DatabaseError.self) { try outcomes[3].get() }
        }
    }

    @Test func `a lookup whose time is over is answered then, and its neighbours when they are done`() async throws {
        let slow = Statement(
            "slow", "SELECT $1::int8, pg_sleep(0.2)",
            many: Statement("slows", "SELECT key, pg_sleep(0.2) FROM unnest($1::int8[]) AS key"))
        try await withPool(Self.one) { (test) async throws in
            let outcomes = try await test.queryTogether(lookups(slow, [1, 2]), limits: [0: 50 * milliseconds])
            #expect(throws: DatabaseError.deadlineExceeded) { try outcomes[0].get() }
            #expect(try outcomes[1].get()[0].int64(0) == 2)
        }
    }

    @Test func `each lookup is reported under its own name`() async throws {
        try await withPool(Self.one) { (test) async throws in
            _ = try await test.queryTogether(lookups(Self.even, [1, 2, 3]))
            let reported = test.log.count { event in
                if case .completed(let statement, _) = event { statement === Self.even } else { false }
            }
            #expect(reported == 3)
        }
    }
}
