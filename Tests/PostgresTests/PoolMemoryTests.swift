import Platform
import Reactor
import Synchronization
import Testing

@testable import Postgres

/// The outcomes of statements.
private final class Outcomes: Sendable {
    private let outcomes = Mutex<[Result<Rows, DatabaseError>]>([])

    func note(_ outcome: Result<Rows, DatabaseError>) { outcomes.withLock { $0.append(outcome) } }
    var count: Int { outcomes.withLock(\.count) }
    var errors: [DatabaseError] { outcomes.withLock { $0.compactMap(\.error) } }
}

@Suite(.needsServer, .timeLimit(.minutes(1)))
struct PoolMemoryTests {
    private static let megabyte = 1_000_000
    private static let large = Statement(
        "large", "SELECT repeat('x', \(megabyte)), pg_backend_pid()::int8", result: megabyte + 65_536)
    private static let many = Statement(
        "many", "SELECT repeat('x', 1000) FROM generate_series(1, \(megabyte / 1000))", result: 2 * megabyte)
    private static let length = Statement("length", "SELECT octet_length($1::text)::int8")

    private func bounds(_ memory: MemoryBudget, wait: Int = 3000) -> PoolBounds {
        var bounds = PoolBounds(minimum: 1, maximum: 1, wait: wait)
        bounds.memory = memory
        return bounds
    }

    @Test func `a statement waits until there is memory for it`() async throws {
        let memory = MemoryBudget(limit: 16 * 1_048_576)
        try await withPool(bounds(memory)) { (test) async throws in
            let number = try await test.onLoop {
                memory.take(memory.limit)
                async let rows = test.pool.query(PoolTests.one)
                for _ in 0..<3 { await test.loop.nextTurn() }
                #expect(await test.pool.load().waiting == 1)
                #expect(test.log.count(\.isSent) == 0)
                memory.release(memory.limit)
                return try await rows[0].int64(0)
            }
            #expect(number == 1)
        }
        #expect(memory.used == 0)
    }

    @Test func `a statement waits for memory no longer than the wait limit`() async throws {
        let memory = MemoryBudget(limit: 16 * 1_048_576)
        try await withPool(bounds(memory, wait: 100)) { (test) async throws in
            memory.take(memory.limit)
            #expect(
                await failure { () throws(DatabaseError) in try await test.pool.query(PoolTests.one) } == .waitTimedOut)
            memory.release(memory.limit)
            #expect(try await test.pool.query(PoolTests.one)[0].int64(0) == 1)
        }
    }

    @Test func `a statement is refused at once if there is no memory for its parameters`() async throws {
        let memory = MemoryBudget(limit: 16 * 1_048_576)
        try await withPool(bounds(memory)) { (test) async throws in
            memory.take(memory.limit)
            let long = Parameter.text(String(repeating: "x", count: 10_000))
            let error = await failure { () throws(DatabaseError) in try await test.pool.query(Self.length, [long]) }
            #expect(error == .outOfMemory)
            memory.release(memory.limit)
            #expect(try await test.pool.query(Self.length, [long])[0].int64(0) == 10_000)
        }
        #expect(memory.used == 0)
    }

    @Test func `waiting statements leave memory for sending`() async throws {
        let memory = MemoryBudget(limit: 16 * 1_048_576)
        // A limit that is not reached even on a busy machine.
        var bounds = bounds(memory, wait: 30_000)
        bounds.statement = 30_000
        try await withPool(bounds) { (test) async throws in
            let gate = Gate()
            let lent = Task { try await test.pool.transaction { _ in await gate.wait() } }
            await test.log.wait(\.isSent)
            let long = Parameter.text(String(repeating: "x", count: 200_000))
            let outcomes = Outcomes()
            try await test.onLoop {
                for _ in 0..<100 {
                    test.pool.query(Self.length, [long]) { $0 }.begin(on: test.loop, until: nil) { outcomes.note($0) }
                }
            }
            // The budget holds exactly 83 of them.
            #expect(outcomes.errors.count > 17)
            gate.open()
            try await lent.value
            while outcomes.count < 100 { await test.loop.pause(for: .milliseconds(1)) }
            #expect(Set(outcomes.errors.map(\.description)) == [DatabaseError.outOfMemory.description])
            #expect(outcomes.errors.count < 50)
        }
        #expect(memory.used == 0)
    }

    @Test func `oversized buffers are freed for waiting statements`() async throws {
        let memory = MemoryBudget(limit: 16 * 1_048_576)
        var bounds = PoolBounds(minimum: 4, maximum: 4, wait: 1000)
        bounds.memory = memory
        try await withPool(bounds) { (test) async throws in
            await test.log.wait(for: 4, \.isOpened)
            // Two exceed one batch, so each takes a connection.
            let long = Parameter.text(String(repeating: "x", count: 250_000))
            for outcome in try await test.queryTogether((0..<4).map { _ in (Self.length, [long]) }) {
                _ = try outcome.get()
            }
            try #require(memory.used >= 4 * 500_000)
            // The whole share of waiting statements: the rest cannot hold the next one.
            let others = memory.limit / 16 * 14
            memory.take(others)
            let text = Parameter.text(String(repeating: "x", count: 50_000))
            try await test.onLoop {
                let answer = Outcomes()
                // It was accepted while there was memory for it.
                memory.release(others)
                test.pool.query(Self.length, [text]) { $0 }.begin(on: test.loop, until: nil) { answer.note($0) }
                memory.take(others)
                while answer.count == 0 { await test.loop.sleep(for: .milliseconds(1)) }
                #expect(answer.errors == [])
            }
            memory.release(others)
        }
        #expect(memory.used == 0)
    }

    @Test func `reads whose results exceed the memory run again one by one`() async throws {
        let memory = MemoryBudget(limit: 64 * 1_048_576)
        try await withPool(bounds(memory)) { (test) async throws in
            memory.take(memory.limit - 3 * Self.megabyte)
            let lengths = try await test.onLoop {
                try await withThrowingTaskGroup(of: Int?.self) { group in
                    for _ in 0..<10 {
                        group.addTask { try await test.pool.query(Self.large)[0].withBytes(0) { $0.count } }
                    }
                    return try await group.reduce(into: []) { $0.append($1 ?? 0) }
                }
            }
            #expect(lengths == [Int](repeating: Self.megabyte, count: 10))
            #expect(test.log.count(\.isSent) > 10)
            memory.release(memory.limit - 3 * Self.megabyte)
        }
        #expect(memory.used == 0)
    }

    @Test func `a read whose result exceeds the memory even alone fails`() async throws {
        let memory = MemoryBudget(limit: 16 * 1_048_576)
        let read = Statement("read", "SELECT repeat('x', \(Self.megabyte))")
        try await withPool(bounds(memory)) { (test) async throws in
            memory.take(memory.limit - 100_000)
            let error = await failure { () throws(DatabaseError) in try await test.pool.query(read) }
            #expect(error == .outOfMemory)
            #expect(test.log.count(\.isSent) == 2)
            memory.release(memory.limit - 100_000)
        }
        #expect(memory.used == 0)
    }

    @Test func `a read of a transaction whose result exceeds the memory fails and is not repeated`() async throws {
        let memory = MemoryBudget(limit: 16 * 1_048_576)
        let read = Statement("read", "SELECT repeat('x', \(Self.megabyte))")
        try await withPool(bounds(memory)) { (test) async throws in
            memory.take(memory.limit - 100_000)
            await #expect(throws: DatabaseError.outOfMemory) {
                try await test.pool.transaction { transaction in _ = try await transaction.query(read) }
            }
            memory.release(memory.limit - 100_000)
        }
        #expect(memory.used == 0)
    }

    @Test func `a transaction's result is counted regardless of the previous statement's reservation`() async throws {
        let memory = MemoryBudget(limit: 16 * 1_048_576)
        let modest = Statement("modest", "SELECT 1::int8", result: Self.megabyte)
        let read = Statement("read", "SELECT repeat('x', 100000)")
        try await withPool(bounds(memory)) { (test) async throws in
            _ = try await test.pool.query(modest)
            try await test.pool.transaction { transaction in
                let rows = try await transaction.query(read)
                #expect(memory.used >= 100_000)
                #expect(rows.count == 1)
            }
        }
        #expect(memory.used == 0)
    }

    @Test(arguments: [Statement.Kind.insert, .update])
    func `a write whose result exceeds the memory is answered and takes effect once`(kind: Statement.Kind)
        async throws
    {
        let memory = MemoryBudget(limit: 16 * 1_048_576)
        try await withTable { table in
            let write = Statement(
                "write", "INSERT INTO \(table) (label) VALUES ('x') RETURNING repeat(label, 100000)", kind: kind)
            try await withPool(bounds(memory)) { (test) async throws in
                // Enough to send it and to return a result within its bound.
                memory.take(memory.limit - 10_000)
                let length = try await test.pool.query(write)[0].withBytes(0) { $0.count }
                #expect(length == 100_000)
                #expect(try await Server.value("SELECT count(*) FROM \(table)") == "1")
                memory.release(memory.limit - 10_000)
            }
        }
        #expect(memory.used == 0)
    }

    @Test func `a result is counted while it is referenced`() async throws {
        let memory = MemoryBudget(limit: 16 * 1_048_576)
        try await withPool(bounds(memory)) { (test) async throws in
            var rows: Rows? = try await test.pool.query(Self.many)
            #expect(rows?.count == 1000)
            #expect(memory.used >= Self.megabyte && memory.used < 2 * Self.megabyte)
            rows = nil
            // The loop has processed its previous events.
            await test.loop.perform {}
            #expect(memory.used == 0)
        }
    }

    @Test func `a buffer grown by one row is counted until its connection is closed`() async throws {
        let memory = MemoryBudget(limit: 16 * 1_048_576)
        let large = Statement("large", Self.large.sql, result: 3 * Self.megabyte)
        try await withPool(bounds(memory)) { (test) async throws in
            #expect(try await test.pool.query(large).count == 1)
            #expect(memory.used >= Self.megabyte)
            await test.pool.retireGrown()
            #expect(memory.used == 0)
        }
    }

    @Test func `the fallback answers when the rows of the first are not enough`() async throws {
        let long = Statement("long", "SELECT $1::int8, 'long'::text")
        let many = Statement("many", "SELECT id, repeat('x', 100) FROM unnest($1::int8[]) AS id")
        let short = Statement(
            "short", "SELECT $1::int8, repeat('x', 100)", lookingUp: many,
            or: Statement.Fallback(long, above: 100) { (try? $0[0].int64(0)) == 2 })
        try await withPool(bounds(.unlimited)) { (test) async throws in
            for count in [1, 3] {
                let found = Mutex<[Int64: String]>([:])
                try await test.onLoop {
                    for key in 3 - Int64(count)..<3 {
                        test.pool.query(short, key: key) { $0 }.begin(on: test.loop, until: nil) { outcome in
                            let row = try? outcome.get().first
                            found.withLock { $0[key] = (try? row?.text(1)) ?? "" }
                        }
                    }
                    while found.withLock({ $0.count }) < count { await test.loop.sleep(for: .milliseconds(1)) }
                }
                let texts = found.withLock { $0 }
                #expect(texts[2] == "long")
                #expect(texts.filter { $0.key != 2 }.values.allSatisfy { $0.count == 100 })
            }
        }
    }

    @Test func `the fallback has the remaining time of the first statement`() async throws {
        let slow = Statement("slow", "SELECT pg_sleep(4), $1::int8")
        let quick = Statement("quick", "SELECT $1::int8", or: Statement.Fallback(slow, above: 0) { _ in true })
        try await withPool(bounds(.unlimited)) { (test) async throws in
            let (error, _) = try await test.failure(of: quick, [.int64(1)], within: 300 * milliseconds)
            #expect(error == .deadlineExceeded)
        }
    }

    @Test(arguments: [(256, 400_000), (16, 100_000)])
    func `long parameters are sent in several batches, smaller ones with less memory`(
        megabytes: Int, byteCount: Int
    ) async throws {
        try await withPool(bounds(MemoryBudget(limit: megabytes * 1_048_576))) { (test) async throws in
            let read = Statement("read", "SELECT pg_current_xact_id()::text, octet_length($1::text)::int8")
            let long = Parameter.text(String(repeating: "x", count: byteCount))
            let outcomes = try await test.queryTogether((0..<6).map { _ in (read, [long]) })
            let transactions = try outcomes.map { try $0.get()[0].text(0) }
            #expect(Set(transactions).count == 3)
        }
    }

    @Test func `a connection with an oversized buffer is replaced without losing statements`() async throws {
        let memory = MemoryBudget(limit: 64 * 1_048_576)
        try await withPool(bounds(memory)) { (test) async throws in
            let first = try await test.backend()
            await test.pool.retireGrown()
            #expect(try await test.backend() == first)
            let long = Parameter.text(String(repeating: "x", count: Self.megabyte))
            #expect(try await test.pool.query(Self.length, [long])[0].int64(0) == Int64(Self.megabyte))
            #expect(memory.used >= Self.megabyte)
            await test.pool.retireGrown()
            #expect(try await test.backend() != first)
            #expect(memory.used == 0)
            #expect(!test.log.has(\.isLost))
            #expect(!test.log.has(\.isReconnected))
        }
    }

    @Test func `a connection with an oversized buffer is not closed while it is leased`() async throws {
        try await withPool(bounds(.unlimited)) { (test) async throws in
            let long = Parameter.text(String(repeating: "x", count: Self.megabyte))
            _ = try await test.pool.query(Self.length, [long])
            let gate = Gate()
            let lent = Task { try await test.pool.transaction { _ in await gate.wait() } }
            await test.log.wait(for: 2, \.isSent)
            #expect(await !test.pool.retireGrown())
            gate.open()
            try await lent.value
        }
    }

    @Test func `a connection with an oversized buffer is closed after a pause, even if nothing waits`() async throws {
        let memory = MemoryBudget(limit: 16 * 1_048_576)
        try await withPool(bounds(memory)) { (test) async throws in
            let long = Parameter.text(String(repeating: "x", count: Self.megabyte))
            _ = try await test.pool.query(Self.length, [long])
            #expect(memory.used >= Self.megabyte)
            await test.pool.passShrinkPause()
            let end = Instant.now + .milliseconds(10_000)
            while memory.used > 0, Instant.now < end {
                await test.loop.pause(for: .milliseconds(1))
            }
            #expect(memory.used == 0)
        }
    }
}

extension Pool {
    /// Closes idle connections with oversized buffers.
    ///
    /// - Returns: whether there was one.
    @discardableResult
    fileprivate func retireGrown() async -> Bool {
        await onLoop { pool in
            let before = pool.connections.keys
            pool.handle(.timer(.shrink))
            return before.contains { pool.connections[$0] == nil }
        }
    }

    /// Ends the pause before oversized connections are closed, if it has begun.
    fileprivate func passShrinkPause() async {
        await onLoop { pool in if pool.state.moment(of: .shrink) != nil { pool.handle(.timer(.shrink)) } }
    }
}
