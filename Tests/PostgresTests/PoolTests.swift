import Reactor
import Synchronization
import Testing

@testable import Postgres

@Suite(.needsServer, .timeLimit(.minutes(1)))
struct PoolTests {
    static let one = Statement("one", "SELECT 1::int8")
    static let sleep = Statement("sleep", "SELECT pg_sleep($1::int8 / 1000.0), 7::int8")

    /// A table with a unique number and a label, gone with the test.
    private func withTable<Value>(_ body: (String) async throws -> Value) async throws -> Value {
        let table = Server.uniqueName()
        try Server.execute("CREATE TABLE \(table) (number int8 UNIQUE, label text)")
        defer { _ = try? Server.execute("DROP TABLE \(table)") }
        return try await body(table)
    }

    /// Runs `body` beside a statement that keeps the pool's only connection busy.
    private func whileBusy<Value>(
        _ test: TestPool, forMilliseconds duration: Int64, _ body: () async throws -> Value
    ) async throws -> Value {
        let sent = test.log.count(\.isSent)
        let busy = Task { try await test.pool.query(Self.sleep, [.int64(duration)]) }
        await test.log.wait(for: sent + 1, \.isSent)
        let value = try await body()
        _ = try await busy.value
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

    @Test func `what is asked for in one turn shares a transaction`() async throws {
        try await withTable { table in
            let insert = Statement(
                "insert", "INSERT INTO \(table) VALUES ($1::int8, 'x') RETURNING pg_current_xact_id()::text", kind: .insert)
            try await withPool(PoolBounds(minimum: 1, maximum: 1)) { (test) async throws in
                let outcomes = try await test.queryTogether((0..<50).map { (insert, [.int64($0)]) })
                let transactions = try outcomes.map { try $0.get()[0].text(0) }
                #expect(Set(transactions).count == 1)
            }
        }
    }

    @Test func `updates have a transaction each, between whatever stands around them`() async throws {
        try await withTable { table in
            let insert = Statement(
                "insert", "INSERT INTO \(table) VALUES ($1::int8, 'x') RETURNING pg_current_xact_id()::text", kind: .insert)
            let update = Statement(
                "update", "INSERT INTO \(table) VALUES ($1::int8, 'y') RETURNING pg_current_xact_id()::text", kind: .update)
            try await withPool(PoolBounds(minimum: 1, maximum: 1)) { (test) async throws in
                let kinds = [insert, insert, update, insert, update, update, insert, insert, insert]
                let outcomes = try await test.queryTogether(kinds.enumerated().map { ($1, [.int64(Int64($0))]) })
                let all = try outcomes.map { try $0.get()[0].text(0) }
                // Two inserts, an update, an insert, an update, an update, three inserts.
                #expect(all[0] == all[1] && all[6] == all[7] && all[7] == all[8])
                #expect(Set(all).count == 6)
                #expect([all[0], all[2], all[3], all[4], all[5], all[6]].compactMap(Int64.init) ==
                    Set(all).compactMap(Int64.init).sorted())
            }
        }
    }

    @Test func `a failing insert does not fail its neighbours, and each is applied once`() async throws {
        try await withTable { table in
            try Server.execute("INSERT INTO \(table) VALUES (7, 'before')")
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
                #expect(try Server.value("SELECT count(*) FROM \(table) WHERE label = 'mine'") == "39")
                #expect(try Server.value("SELECT count(*) FROM \(table)") == "40")
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

    // Bounds.

    @Test func `has never more connections than the maximum, and grows when it has to`() async throws {
        try await withPool(PoolBounds(minimum: 1, maximum: 3)) { (test) async throws in
            #expect(try Server.value(test.connectionsQuery) == "1")
            let work = Task {
                try await withThrowingTaskGroup { group in
                    for _ in 0..<30 {
                        group.addTask { try await test.pool.query(Self.sleep, [.int64(10)]) }
                        try await Task.sleep(for: .milliseconds(2))
                    }
                    try await group.waitForAll()
                }
            }
            let session = try Session(Server.options)
            var most = 0
            repeat {
                let seen = try session.execute(test.connectionsQuery).first?.first ?? nil
                most = max(most, seen.flatMap { Int($0) } ?? 0)
                await test.loop.perform {}
            } while await test.pool.load().inUse > 0 || most < 2
            try await work.value
            #expect(most > 1 && most <= 3)
        }
    }

    @Test func `without a minimum it connects when asked`() async throws {
        try await withPool(PoolBounds(minimum: 0, maximum: 2)) { (test) async throws in
            #expect(try Server.value(test.connectionsQuery) == "0")
            #expect(test.log.events.isEmpty)
            #expect(try await test.pool.query(Self.one)[0].int64(0) == 1)
            #expect(try Server.value(test.connectionsQuery) == "1")
        }
    }

    @Test func `whoever waits longer than the limit is told so`() async throws {
        try await withPool(PoolBounds(minimum: 1, maximum: 1, wait: 100)) { (test) async throws in
            try await whileBusy(test, forMilliseconds: 1000) { () async throws in
                let start = EventLoop.monotonicNanoseconds()
                let error = await failure { () throws(DatabaseError) in try await test.pool.query(Self.one) }
                let elapsed = EventLoop.monotonicNanoseconds() - start
                #expect(error == .waitTimedOut)
                #expect(elapsed >= 50 * milliseconds && elapsed < 900 * milliseconds)
            }
            #expect(try await test.pool.query(Self.one)[0].int64(0) == 1)
        }
    }

    @Test func `the queue is bounded`() async throws {
        try await withPool(PoolBounds(minimum: 1, maximum: 1)) { (test) async throws in
            try await whileBusy(test, forMilliseconds: 300) { () async throws in
                let limit = PoolState.Limits(minimum: 1, maximum: 1).queueLimit
                let outcomes = try await test.queryTogether(Array(repeating: (Self.one, []), count: limit + 5))
                let refused = outcomes.count { if case .failure(.queueFull) = $0 { true } else { false } }
                print("LOADS", test.log.events.compactMap { event -> Int? in if case .load(let load) = event { return load.waiting } else { return nil } }.prefix(12))
                #expect(refused == 5)
                #expect(outcomes.prefix(limit).allSatisfy { if case .success = $0 { true } else { false } })
            }
        }
    }

    // Deadlines.

    @Test func `the task's deadline ends a statement, and the server stops working on it`() async throws {
        try await withPool(PoolBounds(minimum: 1, maximum: 1)) { (test) async throws in
            let start = EventLoop.monotonicNanoseconds()
            let error = await TaskDeadline.$current.withValue(TaskDeadline(expiry: start + 150 * milliseconds)) {
                await failure { () throws(DatabaseError) in try await test.pool.query(Self.sleep, [.int64(4000)]) }
            }
            let elapsed = EventLoop.monotonicNanoseconds() - start
            #expect(error == .deadlineExceeded)
            #expect(elapsed >= 150 * milliseconds && elapsed < 1500 * milliseconds)
            #expect(try await test.pool.query(Self.one)[0].int64(0) == 1)
            let running = "\(test.connectionsQuery) AND state = 'active'"
            #expect(try Server.wait(for: running, toBe: "0"))
            #expect(EventLoop.monotonicNanoseconds() - start < 3500 * milliseconds, "the server slept on")
        }
    }

    @Test func `the statement's limit is the server's, and the pool's where the server has none`() async throws {
        var options = Server.options
        options.statementTimeoutMilliseconds = 100
        let limited = options
        try await withPool(options: { () throws(DatabaseError) in limited }) { (test) async throws in
            let error = await failure { () throws(DatabaseError) in
                try await test.pool.query(Self.sleep, [.int64(4000)])
            }
            #expect(error?.sqlState == "57014")
            #expect(!test.log.has(\.isLost))
        }
        options.prepares = false
        let unlimited = options
        let bounds = PoolBounds(minimum: 1, maximum: 1, statement: 100)
        try await withPool(bounds, options: { () throws(DatabaseError) in unlimited }) { (test) async throws in
            let start = EventLoop.monotonicNanoseconds()
            let error = await failure { () throws(DatabaseError) in
                try await test.pool.query(Self.sleep, [.int64(4000)])
            }
            let elapsed = EventLoop.monotonicNanoseconds() - start
            #expect(error == .deadlineExceeded)
            #expect(elapsed >= 100 * milliseconds && elapsed < 2500 * milliseconds)
        }
    }

    @Test func `a deadline counts while a statement waits behind others that have more time`() async throws {
        try await withPool(PoolBounds(minimum: 1, maximum: 1)) { (test) async throws in
            try await whileBusy(test, forMilliseconds: 1500) { () async throws in
                let patient = Task { try await test.pool.query(Self.one) }
                while await test.pool.load().waiting == 0 { await Task.yield() }
                let start = EventLoop.monotonicNanoseconds()
                let error = await TaskDeadline.$current.withValue(TaskDeadline(expiry: start + 100 * milliseconds)) {
                    await failure { () throws(DatabaseError) in try await test.pool.query(Self.one) }
                }
                let elapsed = EventLoop.monotonicNanoseconds() - start
                #expect(error == .deadlineExceeded)
                #expect(elapsed >= 100 * milliseconds && elapsed < 1000 * milliseconds)
                #expect(try await patient.value[0].int64(0) == 1)
            }
            #expect(!test.log.has(\.isLost))
        }
    }

    @Test func `a statement whose deadline has passed is not sent, and costs nobody the connection`() async throws {
        try await withPool(PoolBounds(minimum: 1, maximum: 1)) { (test) async throws in
            let (late, others) = try await test.onLoop {
                async let first = test.pool.query(Self.one)
                async let second = test.pool.query(Self.one)
                let late = await TaskDeadline.$current.withValue(TaskDeadline(expiry: 1)) {
                    await failure { () throws(DatabaseError) in try await test.pool.query(Self.one) }
                }
                return (late, try await first.count + second.count)
            }
            #expect(late == .deadlineExceeded)
            #expect(others == 2)
            #expect(!test.log.has(\.isLost))
        }
    }

    // Losses.

    @Test func `a connection that breaks while idle is replaced`() async throws {
        try await withPool(PoolBounds(minimum: 1, maximum: 1)) { (test) async throws in
            let backend = try await test.backend()
            try Server.execute("SELECT pg_terminate_backend(\(backend))")
            await test.log.wait(\.isReconnected)
            #expect(try await test.backend() != backend)
            #expect(test.log.count(\.isLost) == 1)
            #expect(!test.log.has(\.isDown))
        }
    }

    @Test func `a read in flight on a connection that breaks runs again elsewhere`() async throws {
        try await withPool(PoolBounds(minimum: 1, maximum: 1, wait: 200)) { (test) async throws in
            let backend = try await test.backend()
            // It has run for longer than a statement may wait: that was not waiting.
            async let slow = test.pool.query(Self.sleep, [.int64(700)])
            async let beside = test.pool.query(Self.one)
            await test.log.wait(for: 3, \.isSent)
            await test.loop.pause(nanoseconds: 300 * milliseconds)
            try Server.execute("SELECT pg_terminate_backend(\(backend))")
            #expect(try await slow[0].int64(1) == 7)
            #expect(try await beside[0].int64(0) == 1)
            #expect(test.log.count(\.isLost) == 1)
            #expect(try await test.backend() != backend)
        }
    }

    @Test func `a write in flight on a connection that breaks is not run again`() async throws {
        try await withTable { table in
            let insert = Statement(
                "insert", "INSERT INTO \(table) SELECT $1::int8, 'x' FROM pg_sleep(3)", kind: .insert)
            try await withPool(PoolBounds(minimum: 1, maximum: 1)) { (test) async throws in
                let backend = try await test.backend()
                let writing = Task {
                    await failure { () throws(DatabaseError) in try await test.pool.query(insert, [.int64(1)]) }
                }
                #expect(try Server.wait(for: "\(test.connectionsQuery) AND wait_event = 'PgSleep'", toBe: "1"))
                try Server.execute("SELECT pg_terminate_backend(\(backend))")
                let error = await writing.value
                #expect(error?.sqlState == "57P01" || error == .connectionLost)
                #expect(try await test.pool.query(Self.one)[0].int64(0) == 1)
                #expect(try Server.value("SELECT count(*) FROM \(table)") == "0")
            }
        }
    }

    @Test func `what could not be sent on a broken connection is sent on another one`() async throws {
        try await withTable { table in
            let update = Statement("update", "INSERT INTO \(table) VALUES ($1::int8, 'x') RETURNING number", kind: .update)
            try await withPool(PoolBounds(minimum: 1, maximum: 1)) { (test) async throws in
                let backend = try await test.backend()
                let outcomes = try await test.onLoop {
                    // Blocks the loop, so that it sends before it learns of the end.
                    try Server.execute("SELECT pg_terminate_backend(\(backend))")
                    let isGone = try Server.wait(
                        for: "SELECT count(*) FROM pg_stat_activity WHERE pid = \(backend)", toBe: "0")
                    #expect(isGone)
                    return await withTaskGroup(of: DatabaseError?.self) { group in
                        for number in 0..<200 {
                            group.addTask {
                                await failure { () throws(DatabaseError) in
                                    try await test.pool.query(update, [.int64(Int64(number))])
                                }
                            }
                        }
                        return await group.reduce(into: []) { $0.append($1) }
                    }
                }
                #expect(outcomes.count == 200)
                let failed = outcomes.compactMap(\.self)
                #expect(failed.allSatisfy { $0 == .connectionLost || $0.sqlState == "57P01" }, "\(Set(failed.map(\.description)))")
                #expect(try Server.value("SELECT count(*) FROM \(table)") == "\(200 - failed.count)")
                #expect(failed.count < 200)
            }
        }
    }

    @Test func `a server that ends while it is written to costs a connection, not the process`() async throws {
        let length = Statement("length", "SELECT length($1::text)::int8")
        try await withPool(PoolBounds(minimum: 1, maximum: 1)) { (test) async throws in
            let backend = try await test.backend()
            let work = Task {
                try await test.pool.transaction { transaction in
                    async let slow = failure { () throws(DatabaseError) in
                        try await transaction.query(Self.sleep, [.int64(4000)])
                    }
                    await test.log.wait(for: 3, \.isSent)
                    // The server does not read while it sleeps, so that the rest waits for the socket.
                    let text = String(repeating: "x", count: 20_000_000)
                    async let first = failure { () throws(DatabaseError) in
                        try await transaction.query(length, [.text(text)])
                    }
                    async let second = failure { () throws(DatabaseError) in
                        try await transaction.query(length, [.text(text)])
                    }
                    return await [slow, first, second]
                }
            }
            await test.log.wait(for: 5, \.isSent)
            #expect(try Server.wait(for: "\(test.connectionsQuery) AND wait_event = 'PgSleep'", toBe: "1"))
            try Server.execute("SELECT pg_terminate_backend(\(backend))")
            await #expect(throws: DatabaseError.connectionLost) { try await work.value }
            #expect(test.log.count(\.isLost) == 1)
            #expect(try await test.pool.query(Self.one)[0].int64(0) == 1)
        }
    }

    @Test func `what the socket does not take at once is sent bit by bit`() async throws {
        let length = Statement("length", "SELECT length($1::text)::int8")
        try await withPool(PoolBounds(minimum: 1, maximum: 1)) { (test) async throws in
            let text = String(repeating: "x", count: 20_000_000)
            let outcomes = try await test.queryTogether(Array(repeating: (length, [.text(text)]), count: 3))
            for outcome in outcomes { #expect(try outcome.get()[0].int64(0) == 20_000_000) }
        }
    }

    // Opening.

    @Test func `a server that is not there is told, and statements are refused at once`() async throws {
        var options = Server.options
        options.host = "/nonexistent"
        let wrong = options
        try await withPool(options: { () throws(DatabaseError) in wrong }) { (test) async throws in
            let error = test.log.events.lazy.compactMap(\.openError).first
            guard case .connectFailed(let reason)? = error else {
                Issue.record("\(error.debugDescription)")
                return
            }
            #expect(reason.contains("No such file or directory"))
            #expect(test.log.has(\.isDown))
            let start = EventLoop.monotonicNanoseconds()
            let refusal = await failure { () throws(DatabaseError) in try await test.pool.query(Self.one) }
            #expect(refusal == .unavailable)
            #expect(EventLoop.monotonicNanoseconds() - start < 500 * milliseconds)
            await #expect(throws: DatabaseError.unavailable) { try await test.pool.transaction { _ in } }
        }
    }

    @Test func `a user the server does not know is told`() async throws {
        var options = Server.options
        options.user = "nobody_of_that_name"
        let wrong = options
        try await withPool(options: { () throws(DatabaseError) in wrong }) { (test) async throws in
            guard case .connectFailed(let reason)? = test.log.events.lazy.compactMap(\.openError).first else {
                Issue.record("it could connect")
                return
            }
            #expect(reason.contains("nobody_of_that_name"))
            #expect(test.log.has(\.isDown))
        }
    }

    @Test func `comes up by itself when the server does, with the options of that moment`() async throws {
        final class Switch: Sendable {
            let isOn = Atomic(false)
        }
        let power = Switch()
        let options = { @Sendable () throws(DatabaseError) -> ConnectionOptions in
            guard power.isOn.load(ordering: .relaxed) else { throw .connectFailed("no password yet") }
            return Server.options
        }
        try await withPool(PoolBounds(minimum: 2, maximum: 2), options: options) { (test) async throws in
            await test.log.wait(for: 3) { $0.openError == .connectFailed("no password yet") }
            #expect(test.log.count(\.isDown) == 1)
            power.isOn.store(true, ordering: .relaxed)
            await test.log.wait(for: 2, \.isOpened)
            #expect(test.log.count(\.isUp) == 1)
            #expect(try await test.pool.query(Self.one)[0].int64(0) == 1)
            #expect(try Server.value(test.connectionsQuery) == "2")
        }
    }

    @Test func `a statement to prepare that the server refuses keeps the connection from serving`() async throws {
        let wrong = Statement("wrong", "SELECT nothing FROM nowhere")
        try await withPool(statements: [wrong]) { (test) async throws in
            let error = test.log.events.lazy.compactMap(\.openError).first
            #expect(error?.sqlState == "42P01")
            #expect(await failure { () throws(DatabaseError) in try await test.pool.query(Self.one) } == .unavailable)
        }
    }

    // Closing.

    @Test func `closing lets what is in flight finish, refuses what comes, and leaves no connection`() async throws {
        let (outcome, refusal, query) = try await withPool(PoolBounds(minimum: 1, maximum: 2)) { (test) async throws in
            let busy = Task { try await test.pool.query(Self.sleep, [.int64(200)])[0].int64(1) }
            await test.log.wait(\.isSent)
            let closing = Task { await test.pool.close(withinMilliseconds: 5000) }
            while await test.pool.load().idle > 0 { await Task.yield() }
            await test.loop.perform {}
            let refusal = await failure { () throws(DatabaseError) in try await test.pool.query(Self.one) }
            await closing.value
            return (try await busy.value, refusal, test.connectionsQuery)
        }
        #expect(outcome == 7)
        #expect(refusal == .closing)
        #expect(try Server.wait(for: query, toBe: "0"))
    }

    @Test func `closing does not wait for longer than it is told to`() async throws {
        try await withPool(PoolBounds(minimum: 1, maximum: 1)) { (test) async throws in
            let busy = Task { await failure { () throws(DatabaseError) in try await test.pool.query(Self.sleep, [.int64(4000)]) } }
            await test.log.wait(\.isSent)
            let start = EventLoop.monotonicNanoseconds()
            await test.pool.close(withinMilliseconds: 50)
            #expect(EventLoop.monotonicNanoseconds() - start < 2000 * milliseconds)
            #expect(await busy.value == .connectionLost)
        }
    }
}
