import Glibc
import Platform
import Synchronization
import Testing

@testable import Postgres
@testable import Reactor

@Suite(.needsServer, .timeLimit(.minutes(1)))
struct PoolTests {
    static let one = Statement("one", "SELECT 1::int8")
    static let sleep = Statement("sleep", "SELECT pg_sleep($1::int8 / 1000.0), 7::int8")

    /// The outcome of a statement, once it has ended.
    private final class Answer: Sendable {
        let outcome = Mutex<Result<Rows, DatabaseError>?>(nil)
    }

    /// Runs `body` while all of the pool's `count` connections are lent.
    private func whileBusy<Value>(
        _ test: TestPool, connections count: Int = 1, _ body: () async throws -> Value
    ) async throws -> Value {
        let gate = Gate()
        let sent = test.log.count(\.isSent)
        let lent = (0..<count).map { _ in Task { try await test.pool.transaction { _ in await gate.wait() } } }
        // All of them have begun.
        await test.log.wait(for: sent + count, \.isSent)
        defer { gate.open() }
        let value = try await body()
        gate.open()
        for task in lent { try await task.value }
        return value
    }

    // Batches.

    @Test func `answers 500 queries at once, each with its own rows`() async throws {
        let echo = Statement("echo", "SELECT $1::int8, $2::text")
        try await withPool(PoolBounds(minimum: 2, maximum: 4), statements: [echo]) { (test) async throws in
            let queries = (0..<500).map { (echo, [Parameter.int64(Int64($0)), .text("text \($0)")]) }
            for (index, outcome) in try await test.queryTogether(queries).enumerated() {
                let row = try outcome.get()[0]
                #expect(try row.int64(0) == Int64(index))
                #expect(try row.text(1) == "text \(index)")
            }
            #expect(test.log.count(\.isSent) == 500)
            let load = await test.pool.load()
            #expect(load.inUse == 0 && load.waiting == 0 && load.idle >= 2 && load.idle <= 4)
        }
    }

    @Test func `statements of one iteration share a transaction`() async throws {
        try await withTable { table in
            let insert = Statement(
                "insert", "INSERT INTO \(table) VALUES ($1::int8, 'x') RETURNING pg_current_xact_id()::text",
                kind: .insert)
            try await withPool(PoolBounds(minimum: 1, maximum: 1)) { (test) async throws in
                let outcomes = try await test.queryTogether((0..<50).map { (insert, [.int64($0)]) })
                let transactions = try outcomes.map { try $0.get()[0].text(0) }
                #expect(Set(transactions).count == 1)
            }
        }
    }

    @Test func `statements that may return many rows share a transaction with few others`() async throws {
        let read = Statement("read", "SELECT pg_current_xact_id()::text")
        try await withPool(PoolBounds(minimum: 1, maximum: 1)) { (test) async throws in
            let transactions = try await test.onLoop {
                try await withThrowingTaskGroup(of: (Int, String).self) { group in
                    // The limit is 1000: the first two fit together, the third does not, and one above the limit is
                    // sent alone.
                    for (index, rows) in [400, 600, 1, 2000, 1, 999].enumerated() {
                        group.addTask { (index, try await test.pool.query(read, rows: rows)[0].text(0)) }
                    }
                    return try await group.reduce(into: [Int: String]()) { $0[$1.0] = $1.1 }
                }
            }
            let all = try (0..<6).map { try #require(transactions[$0]) }
            #expect(all[0] == all[1] && all[4] == all[5])
            #expect(Set(all).count == 4)
        }
    }

    @Test func `each update has its own transaction, whatever its neighbours`() async throws {
        try await withTable { table in
            let insert = Statement(
                "insert", "INSERT INTO \(table) VALUES ($1::int8, 'x') RETURNING pg_current_xact_id()::text",
                kind: .insert)
            let update = Statement(
                "update", "INSERT INTO \(table) VALUES ($1::int8, 'y') RETURNING pg_current_xact_id()::text",
                kind: .update)
            try await withPool(PoolBounds(minimum: 1, maximum: 1)) { (test) async throws in
                let kinds = [insert, insert, update, insert, update, update, insert, insert, insert]
                let outcomes = try await test.queryTogether(kinds.enumerated().map { ($1, [.int64(Int64($0))]) })
                let all = try outcomes.map { try $0.get()[0].text(0) }
                // Two inserts, an update, an insert, an update, an update, three inserts.
                #expect(all[0] == all[1] && all[6] == all[7] && all[7] == all[8])
                #expect(Set(all).count == 6)
                #expect(
                    [all[0], all[2], all[3], all[4], all[5], all[6]].compactMap(Int64.init)
                        == Set(all).compactMap(Int64.init).sorted())
            }
        }
    }

    @Test func `a failing insert does not fail its neighbours, and each is applied once`() async throws {
        try await withTable { table in
            try await Server.execute("INSERT INTO \(table) VALUES (7, 'before')")
            let insert = Statement(
                "insert", "INSERT INTO \(table) VALUES ($1::int8, $2::text) RETURNING number", kind: .insert)
            let count = Statement("count", "SELECT count(*) FROM \(table) WHERE label = 'before'")
            try await withPool(PoolBounds(minimum: 1, maximum: 1), statements: [insert, count]) { (test) async throws in
                var queries: [(Statement, [Parameter])] = (0..<40).map { (insert, [.int64($0), .text("mine")]) }
                queries.insert((count, []), at: 3)
                queries.append((count, []))
                queries.append((insert, [.int64(20), .text("again")]))
                queries.append((Statement("broken", "SELECT nothing"), []))
                let outcomes = try await test.queryTogether(queries)
                for (index, outcome) in outcomes.enumerated() {
                    switch (index, outcome) {
                    case (8, .failure(.server(let error))), (42, .failure(.server(let error))):
                        #expect(error.sqlState == "23505" && error.constraint == "\(table)_number_key")
                    case (43, .failure(let error)): #expect(error.sqlState == "42703")
                    case (3, .success(let rows)), (41, .success(let rows)): #expect(try rows[0].int64(0) == 1)
                    case (_, .success(let rows)): #expect(rows.count == 1)
                    case (_, .failure(let error)): Issue.record("statement \(index): \(error)")
                    }
                }
                #expect(try await Server.value("SELECT count(*) FROM \(table) WHERE label = 'mine'") == "39")
                #expect(try await Server.value("SELECT count(*) FROM \(table)") == "40")
                #expect(!test.log.has(\.isLost))
            }
        }
    }

    @Test func `a statement that fails in every batch never harms those that come later`() async throws {
        let broken = Statement("broken", "SELECT 1 / $1::int8")
        try await withPool(PoolBounds(minimum: 1, maximum: 2)) { (test) async throws in
            for _ in 0..<20 {
                let outcomes = try await test.queryTogether([(Self.one, []), (broken, [.int64(0)]), (Self.one, [])])
                #expect(try outcomes[0].get()[0].int64(0) == 1)
                #expect(try outcomes[2].get()[0].int64(0) == 1)
                guard case .failure(let error) = outcomes[1] else {
                    Issue.record("the division succeeded")
                    continue
                }
                #expect(error.sqlState == "22012")
            }
        }
    }

    @Test func `too many parameters for the server do not lose the connection`() async throws {
        try await withPool(PoolBounds(minimum: 1, maximum: 1)) { (test) async throws in
            let backend = try await test.backend()
            // Bypasses the check of the public API.
            let outcome = await test.pool.outcome(of: Self.one, .list([.int64(1)]), rows: 1, until: nil)
            guard case .failure(let error) = outcome else { return #expect(Bool(false), "it was answered") }
            #expect(error.sqlState == "08P01" && error.errorClass == .statement)
            #expect(try await test.backend() == backend)
            #expect(!test.log.has(\.isLost))
        }
    }

    // Bounds.

    @Test func `grows when needed, never beyond the maximum`() async throws {
        try await withPool(PoolBounds(minimum: 1, maximum: 3, wait: 30_000, statement: 30_000)) { (test) async throws in
            #expect(try await Server.value(test.connectionsQuery) == "1")
            let waiting = try await whileBusy(test, connections: 3) { () async throws in
                #expect(test.log.count(\.isOpened) == 3)
                let waiting = Task { try await test.queryTogether(Array(repeating: (Self.one, []), count: 300)) }
                while await test.pool.load().waiting < 300 { await test.loop.perform {} }
                for _ in 0..<10 { #expect(try await Server.value(test.connectionsQuery) == "3") }
                return waiting
            }
            for outcome in try await waiting.value { #expect(try outcome.get()[0].int64(0) == 1) }
            #expect(try await Server.value(test.connectionsQuery) == "3")
            #expect(test.log.count(\.isOpened) == 3)
        }
    }

    @Test func `connects on demand without a minimum`() async throws {
        try await withPool(PoolBounds(minimum: 0, maximum: 2)) { (test) async throws in
            #expect(try await Server.value(test.connectionsQuery) == "0")
            #expect(test.log.events.isEmpty)
            #expect(try await test.pool.query(Self.one)[0].int64(0) == 1)
            #expect(try await Server.value(test.connectionsQuery) == "1")
        }
    }

    @Test func `a caller that waits longer than the limit fails`() async throws {
        try await withPool(PoolBounds(minimum: 1, maximum: 1, wait: 100)) { (test) async throws in
            try await whileBusy(test) { () async throws in
                let (error, elapsed) = try await test.failure(of: Self.one)
                #expect(error == .waitTimedOut)
                #expect(elapsed >= 50 * milliseconds && elapsed < 3000 * milliseconds)
            }
            #expect(try await test.pool.query(Self.one)[0].int64(0) == 1)
        }
    }

    @Test func `after a suspension of the process, callers that can be served are, even past their limit`() async throws
    {
        try await withPool(PoolBounds(minimum: 1, maximum: 1, wait: 100)) { (test) async throws in
            let rows = try await test.onLoop {
                let turn = {
                    await withCheckedContinuation { next in test.loop.atNextTurn { next.resume() } }
                }
                let busy = Task(executorPreference: test.loop) {
                    try await test.pool.query(Statement("nap", "SELECT pg_sleep(0.05)"))
                }
                await turn()
                let waiting = Task(executorPreference: test.loop) { try await test.pool.query(Self.one) }
                await turn()
                await turn()
                // Simulates a suspension: the answer arrives and the limit passes before the loop is notified of
                // either.
                let end = Instant.now + .milliseconds(300)
                while Instant.now < end {}
                _ = try await busy.value
                return try await waiting.value
            }
            #expect(try rows[0].int64(0) == 1)
        }
    }

    @Test func `a caller is served by an answer that arrives as its wait ends`() async throws {
        try await withPool(PoolBounds(minimum: 1, maximum: 1, wait: 50)) { (test) async throws in
            let outcome = try await test.onLoop {
                let key = "hashtext('\(test.name)')"
                let locked = Statement("locked", "SELECT pg_advisory_lock(\(key))")
                let holder = try Session(Server.options)
                try holder.execute(locked.sql)
                test.pool.query(locked) { $0 }.begin(on: test.loop, until: nil) { _ in }
                await test.loop.nextTurn()
                let waiting = Answer()
                test.pool.query(Self.one) { $0 }.begin(on: test.loop, until: nil) { outcome in
                    waiting.outcome.withLock { $0 = outcome }
                }
                await test.loop.nextTurn()
                while await test.pool.waitEnd != nil { await test.loop.nextTurn() }
                // Its limit has passed, and the loop checks for events once more before failing it.
                try holder.execute("SELECT pg_advisory_unlock(\(key))")
                let socket = try #require(await test.pool.socket)
                var watch = pollfd(fd: socket, events: Int16(POLLIN), revents: 0)
                // One entry, which outlives the call.
                try #require(unsafe poll(&watch, 1, 10_000) == 1)
                while true {
                    if let outcome = waiting.outcome.withLock(\.self) { return outcome }
                    await test.loop.nextTurn()
                }
            }
            #expect(outcome.error == nil)
        }
    }

    @Test func `a wait is bounded even while every iteration submits statements`() async throws {
        try await withPool(PoolBounds(minimum: 1, maximum: 1, wait: 100)) { (test) async throws in
            let first = Answer()
            try await whileBusy(test) {
                try await test.onLoop {
                    test.pool.query(Self.one) { $0 }.begin(on: test.loop, until: nil) { outcome in
                        first.outcome.withLock { $0 = outcome }
                    }
                    // Far more iterations than fit into its wait limit.
                    for _ in 0..<100_000 where first.outcome.withLock({ $0 == nil }) {
                        test.pool.query(Self.one) { $0 }.begin(on: test.loop, until: nil) { _ in }
                        await test.loop.nextTurn()
                    }
                }
            }
            guard case .failure(.waitTimedOut)? = first.outcome.withLock(\.self) else {
                Issue.record("another outcome than a wait that timed out")
                return
            }
        }
    }

    @Test func `the queue is bounded`() async throws {
        try await withPool(PoolBounds(minimum: 1, maximum: 1, wait: 30_000, statement: 30_000)) { (test) async throws in
            let limit = PoolState.Limits(minimum: 1, maximum: 1).queueLimit
            let queries = try await whileBusy(test) { () async throws in
                let queries = Task { try await test.queryTogether(Array(repeating: (Self.one, []), count: limit + 5)) }
                while await test.pool.load().waiting < limit { await test.loop.perform {} }
                return queries
            }
            let outcomes = try await queries.value
            let refused = outcomes.count { if case .failure(.queueFull) = $0 { true } else { false } }
            #expect(refused == 5)
            #expect(outcomes.prefix(limit).allSatisfy { if case .success = $0 { true } else { false } })
        }
    }

    // Deadlines.

    @Test func `the task's deadline fails a statement, and the server cancels it`() async throws {
        // Longer than any wait in this test.
        let minute = 60_000
        var options = Server.options
        options.statementTimeout = .milliseconds(minute)
        let bounds = PoolBounds(minimum: 1, maximum: 1, statement: minute)
        try await withPool(bounds, options: always(options)) { (test) async throws in
            let (error, elapsed) = try await test.failure(
                of: Self.sleep, [.int64(Int64(minute))], within: 150 * milliseconds)
            #expect(error == .deadlineExceeded)
            #expect(elapsed >= 150 * milliseconds && elapsed < 30_000 * milliseconds)
            #expect(try await test.pool.query(Self.one)[0].int64(0) == 1)
            let running = "\(test.connectionsQuery) AND state = 'active'"
            #expect(try await Server.wait(for: running, toBe: "0"), "the server slept on")
        }
    }

    @Test func `the statement limit is enforced by the server, or by the pool if the server has none`() async throws {
        var options = Server.options
        options.statementTimeout = .milliseconds(100)
        try await withPool(options: always(options)) { (test) async throws in
            let error = await failure { () throws(DatabaseError) in
                try await test.pool.query(Self.sleep, [.int64(4000)])
            }
            #expect(error?.sqlState == "57014")
            #expect(!test.log.has(\.isLost))
        }
        options.prepares = false
        let bounds = PoolBounds(minimum: 1, maximum: 1, statement: 100)
        try await withPool(bounds, options: always(options)) { (test) async throws in
            let (error, elapsed) = try await test.failure(of: Self.sleep, [.int64(4000)])
            #expect(error == .deadlineExceeded)
            #expect(elapsed >= 100 * milliseconds && elapsed < 2500 * milliseconds)
        }
    }

    @Test func `a deadline counts while a statement waits behind others that have more time`() async throws {
        try await withPool(PoolBounds(minimum: 1, maximum: 1, wait: 30_000, statement: 30_000)) { (test) async throws in
            let patient = try await whileBusy(test) { () async throws in
                let patient = Task { try await test.pool.query(Self.one) }
                while await test.pool.load().waiting == 0 { await test.loop.perform {} }
                let (error, elapsed) = try await test.failure(of: Self.one, within: 100 * milliseconds)
                #expect(error == .deadlineExceeded)
                #expect(elapsed >= 100 * milliseconds && elapsed < 3000 * milliseconds)
                return patient
            }
            #expect(try await patient.value[0].int64(0) == 1)
            #expect(!test.log.has(\.isLost))
        }
    }

    @Test func `a statement whose deadline has passed is not sent, and no connection is lost`() async throws {
        try await withPool(PoolBounds(minimum: 1, maximum: 1)) { (test) async throws in
            let (late, others) = try await test.onLoop {
                async let first = test.pool.query(Self.one)
                async let second = test.pool.query(Self.one)
                let late = await TaskDeadline.$current.withValue(TaskDeadline(expiry: Instant(nanoseconds: 1))) {
                    await failure { () throws(DatabaseError) in try await test.pool.query(Self.one) }
                }
                return (late, try await first.count + second.count)
            }
            #expect(late == .deadlineExceeded)
            #expect(others == 2)
            #expect(!test.log.has(\.isLost))
        }
    }

    @Test func `a batch larger than the socket's buffer is sent in parts`() async throws {
        let length = Statement("length", "SELECT length($1::text)::int8")
        try await withPool(PoolBounds(minimum: 1, maximum: 1)) { (test) async throws in
            let text = String(repeating: "x", count: 4_000_000)
            let outcomes = try await test.queryTogether(Array(repeating: (length, [.text(text)]), count: 3))
            for outcome in outcomes { #expect(try outcome.get()[0].int64(0) == 4_000_000) }
        }
    }

    // Closing.

    @Test func `closing finishes statements in flight, refuses new ones, and closes every connection`() async throws {
        let (outcome, refusal, query) = try await withPool(PoolBounds(minimum: 1, maximum: 2)) { (test) async throws in
            let busy = Task { try await test.pool.query(Self.sleep, [.int64(200)])[0].int64(1) }
            await test.log.wait(\.isSent)
            // In this order, because both begin on one loop.
            let refusal = try await test.onLoop {
                async let closing: Void = test.pool.close(within: .milliseconds(5000))
                async let refusal = failure { () throws(DatabaseError) in try await test.pool.query(Self.one) }
                await closing
                return await refusal
            }
            return (try await busy.value, refusal, test.connectionsQuery)
        }
        #expect(outcome == 7)
        #expect(refusal == .closing)
        #expect(try await Server.wait(for: query, toBe: "0"))
    }

    @Test func `closing waits no longer than its limit`() async throws {
        try await withPool(PoolBounds(minimum: 1, maximum: 1)) { (test) async throws in
            let busy = Task {
                await failure { () throws(DatabaseError) in try await test.pool.query(Self.sleep, [.int64(4000)]) }
            }
            await test.log.wait(\.isSent)
            await test.pool.close(within: .milliseconds(50))
            // It would have succeeded if closing had waited for it.
            #expect(await busy.value == .connectionLost)
        }
    }
}

extension Pool {
    /// When the waiting caller reaches its limit; nil if none waits, and between the timer's end and its handling.
    fileprivate var waitEnd: UInt64? { get async { await onLoop { $0.timers[.wait]?.expiry } } }
    /// The socket of the only connection.
    fileprivate var socket: Int32? { get async { await onLoop { $0.connections.values.first?.readiness.number } } }
}
