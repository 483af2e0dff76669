import Platform
import Reactor
import Testing

@testable import Postgres

/// The outcome of a statement whose deadline passes while the server runs it, and of its neighbours.
@Suite(.needsServer, .timeLimit(.minutes(1)))
struct PoolCancellationTests {
    private let second = 1000 * milliseconds

    @Test func `neighbours of a late statement run again, each once, on the same connection`() async throws {
        try await withTable { table in
            let insert = Statement(
                "insert", "INSERT INTO \(table) VALUES ($1::int8, 'x') RETURNING number", kind: .insert)
            try await withPool(PoolBounds(minimum: 1, maximum: 1)) { (test) async throws in
                let outcomes = try await test.queryTogether(
                    [
                        (insert, [.int64(1)]), (PoolTests.sleep, [.int64(4000)]), (insert, [.int64(2)]),
                        (PoolTests.one, []),
                    ], limits: [1: second / 3])
                #expect(outcomes[1].error == .deadlineExceeded)
                for index in [0, 2, 3] { #expect(outcomes[index].error == nil) }
                #expect(try await Server.value("SELECT array_agg(number ORDER BY number) FROM \(table)") == "{1,2}")
                #expect(!test.log.has(\.isLost))
                #expect(try await Server.wait(for: "\(test.connectionsQuery) AND wait_event = 'PgSleep'", toBe: "0"))
            }
        }
    }

    @Test func `a statement that is cancelled in place of a late one runs again`() async throws {
        try await withTable { table in
            // Each has a Sync of its own, so that the second begins when the first has ended.
            let slow = Statement("slow", "SELECT pg_sleep(4), 7::int8", kind: .update)
            let write = Statement(
                "write", "INSERT INTO \(table) SELECT $1::int8, 'x' FROM pg_sleep(0.5)", kind: .update)
            try await withPool(PoolBounds(minimum: 1, maximum: 1)) { (test) async throws in
                let outcomes = try await test.queryTogether(
                    [(slow, []), (slow, []), (write, [.int64(1)])], limits: [0: second / 3, 1: second / 3])
                #expect(outcomes[0].error == .deadlineExceeded && outcomes[1].error == .deadlineExceeded)
                #expect(outcomes[2].error == nil)
                #expect(try await Server.value("SELECT count(*) FROM \(table)") == "1")
                #expect(!test.log.has(\.isLost))
            }
        }
    }

    @Test func `a statement stopped by a delayed cancel request for another runs again`() async throws {
        try await withPool(PoolBounds(minimum: 1, maximum: 1)) { (test) async throws in
            let backend = try await test.backend()
            let following = Statement("following", "SELECT pg_sleep(0.5), 8::int8")
            let isFollowing = "wait_event = 'PgSleep' AND query LIKE '%8::int8'"
            // On a busy machine the request may come too late to be attributed to another statement; hence several
            // tries.
            for _ in 0..<10 {
                let start = Instant.now
                let (late, _) = try await test.failure(of: PoolTests.sleep, [.int64(4000)], within: 50 * milliseconds)
                #expect(late == .deadlineExceeded)
                let next = Task {
                    await failure { () throws(DatabaseError) in
                        #expect(try await test.pool.query(following)[0].int64(1) == 8)
                    }
                }
                #expect(try await Server.wait(for: "\(test.connectionsQuery) AND \(isFollowing)", toBe: "1"))
                // Like a pooler that forwards the request with delay.
                try await Server.execute("SELECT pg_cancel_backend(\(backend))")
                // The other half of the time is left for the loop to process it.
                let isInTime = Instant.now.nanoseconds(since: start) < (Cancellation.lateLimit / 2).nanoseconds
                let error = await next.value
                guard isInTime else { continue }
                #expect(error == nil)
                #expect(!test.log.has(\.isLost))
                return
            }
            Issue.record("no request came within the time in which it may be late")
        }
    }

    @Test func `a server that answers after a cancel request without stopping loses the connection`() async throws {
        try await withTable { table in
            try await Server.execute(
                """
                CREATE FUNCTION \(table)_stays() RETURNS int8 LANGUAGE plpgsql AS $$
                BEGIN
                    PERFORM pg_sleep(30);
                    RETURN 1;
                EXCEPTION WHEN query_canceled THEN
                    RAISE WARNING 'not now';
                    PERFORM pg_sleep(30);
                    RETURN 2;
                END $$;
                """)
            let stays = Statement("stays", "SELECT \(table)_stays()")
            var options = Server.options
            options.statementTimeout = .milliseconds(60_000)
            let bounds = PoolBounds(minimum: 1, maximum: 1, wait: 10_000, statement: 60_000)
            try await withPool(bounds, options: always(options)) { (test) async throws in
                let backend = try await test.backend()
                var next = backend
                // On a busy machine the request may arrive before the statement has begun, and then has no effect on
                // it.
                for limit in [200, 1000, 5000, 20_000].map({ $0 * milliseconds }) where next == backend {
                    let (late, _) = try await test.failure(of: stays, within: limit)
                    #expect(late == .deadlineExceeded)
                    // The next statement does not wait for one without a caller.
                    next = try await test.backend()
                }
                #expect(next != backend)
                try await Server.execute("SELECT pg_terminate_backend(\(backend))")
            }
            try await Server.execute("DROP FUNCTION \(table)_stays()")
        }
    }

    @Test func `the deadline of an answered statement does not cancel its neighbours`() async throws {
        try await withPool(PoolBounds(minimum: 1, maximum: 1)) { (test) async throws in
            let slow = Statement("slow", "SELECT pg_sleep(2.5), 7::int8", kind: .update)
            let outcomes = try await test.queryTogether([(PoolTests.one, []), (slow, [])], limits: [0: 2 * second])
            #expect(try outcomes[0].get()[0].int64(0) == 1)
            #expect(try outcomes[1].get()[0].int64(1) == 7)
            // Statements stopped in place of another run again.
            #expect(test.log.count(\.isSent) == 2)
        }
    }

    @Test func `with more late statements than concurrent cancel requests, each is cancelled`() async throws {
        var options = Server.options
        options.statementTimeout = .milliseconds(60_000)
        let count = 2 * Connector.cancelLimit
        let bounds = PoolBounds(minimum: count, maximum: count, statement: 60_000)
        try await withPool(bounds, options: always(options)) { (test) async throws in
            await test.log.wait(for: count, \.isOpened)
            let errors = try await test.onLoop {
                let expiry = Instant.now + .seconds(1)
                return await withTaskGroup(of: DatabaseError?.self) { group in
                    for _ in 0..<count {
                        group.addTask {
                            await TaskDeadline.$current.withValue(TaskDeadline(expiry: expiry)) {
                                await failure { () throws(DatabaseError) in
                                    // More rows than one batch may return, so each has a connection of its own.
                                    try await test.pool.query(PoolTests.sleep, [.int64(40_000)], rows: 2000)
                                }
                            }
                        }
                    }
                    return await group.reduce(into: []) { $0.append($1) }
                }
            }
            #expect(errors == [DatabaseError?](repeating: .deadlineExceeded, count: count))
            #expect(try await Server.wait(for: "\(test.connectionsQuery) AND wait_event = 'PgSleep'", toBe: "0"))
        }
    }

    @Test func `a late statement is reported once`() async throws {
        try await withPool(PoolBounds(minimum: 1, maximum: 1)) { (test) async throws in
            let (late, _) = try await test.failure(of: PoolTests.sleep, [.int64(4000)], within: 50 * milliseconds)
            #expect(late == .deadlineExceeded)
            // The server has reported how the statement ended.
            #expect(try await test.pool.query(PoolTests.one)[0].int64(0) == 1)
            #expect(test.log.count { if case .failed = $0 { true } else { false } } == 1)
        }
    }

    @Test func `statements after a stopped commit have certain outcomes`() async throws {
        try await withTable { table in
            try await Server.execute(
                """
                CREATE FUNCTION \(table)_commit() RETURNS trigger LANGUAGE plpgsql AS $$
                BEGIN PERFORM pg_sleep(4); RETURN NULL; END $$;
                CREATE CONSTRAINT TRIGGER at_commit AFTER INSERT ON \(table) DEFERRABLE INITIALLY DEFERRED
                    FOR EACH ROW WHEN (NEW.label = 'slow') EXECUTE FUNCTION \(table)_commit();
                """)
            let write = Statement("write", "INSERT INTO \(table) VALUES ($1::int8, $2::text)", kind: .update)
            try await withPool(PoolBounds(minimum: 1, maximum: 1)) { (test) async throws in
                let outcomes = try await test.queryTogether(
                    [(write, [.int64(1), .text("slow")]), (write, [.int64(2), .text("quick")])],
                    limits: [0: second / 3])
                #expect(outcomes.map(\.error) == [.deadlineExceeded, nil])
                #expect(try await Server.value("SELECT array_agg(number) FROM \(table)") == "{2}")
            }
            try await Server.execute("DROP FUNCTION \(table)_commit() CASCADE")
        }
    }

    @Test func `a statement that reaches its own limit after a cancel request is not repeated`() async throws {
        var options = Server.options
        options.statementTimeout = .milliseconds(200)
        let bounds = PoolBounds(minimum: 1, maximum: 1, statement: 200)
        try await withPool(bounds, options: always(options)) { (test) async throws in
            let (late, _) = try await test.failure(of: PoolTests.sleep, [.int64(4000)], within: 50 * milliseconds)
            #expect(late == .deadlineExceeded)
            let sent = test.log.count(\.isSent)
            let (error, _) = try await test.failure(of: PoolTests.sleep, [.int64(4000)])
            #expect(error?.sqlState == "57014")
            #expect(test.log.count(\.isSent) == sent + 1)
        }
    }

    @Test func `a transaction may continue after a late statement, and its connection is reused`() async throws {
        try await withPool(PoolBounds(minimum: 1, maximum: 1, wait: 60_000, statement: 60_000)) { (test) async throws in
            let backend = try await test.backend()
            for _ in 0..<20 {
                await #expect(throws: DatabaseError.deadlineExceeded) {
                    try await test.pool.transaction { transaction in
                        let deadline = TaskDeadline(expiry: .now + .milliseconds(20))
                        try await TaskDeadline.$current.withValue(deadline) {
                            _ = try await transaction.query(PoolTests.sleep, [.int64(4000)])
                        }
                    }
                }
                #expect(try await test.pool.query(PoolTests.one)[0].int64(0) == 1)
            }
            // No cancel request hit a ROLLBACK, which would have lost the connection.
            #expect(try await test.backend() == backend)
            #expect(!test.log.has(\.isLost))
        }
    }

    @Test func `each of two statements of a transaction has its own deadline`() async throws {
        try await withPool(PoolBounds(minimum: 1, maximum: 1, statement: 60_000)) { (test) async throws in
            _ = try? await test.pool.transaction { transaction in
                let deadline = TaskDeadline(expiry: .now + .seconds(1))
                async let short = TaskDeadline.$current.withValue(deadline) {
                    await failure { () throws(DatabaseError) in
                        try await transaction.query(PoolTests.sleep, [.int64(30_000)])
                    }
                }
                await test.log.wait(for: 2, \.isSent)
                async let long = failure { () throws(DatabaseError) in try await transaction.query(PoolTests.one) }
                // By the pool's limit, which is longer, it would have slept to its end.
                #expect(await short == .deadlineExceeded)
                _ = await long
            }
        }
    }

    @Test func `the connection is usable afterwards`() async throws {
        try await withPool(PoolBounds(minimum: 1, maximum: 1)) { (test) async throws in
            let backend = try await test.backend()
            for _ in 0..<5 {
                let (error, elapsed) = try await test.failure(
                    of: PoolTests.sleep, [.int64(4000)], within: 50 * milliseconds)
                #expect(error == .deadlineExceeded && elapsed < second)
                #expect(try await test.pool.query(PoolTests.one)[0].int64(0) == 1)
            }
            #expect(try await test.backend() == backend)
        }
    }

    @Test
    func `a transaction with a late statement is rolled back, and its connection is in no transaction afterwards`()
        async throws
    {
        try await withTable { table in
            let insert = Statement("insert", "INSERT INTO \(table) VALUES ($1::int8, 'x')", kind: .insert)
            try await withPool(PoolBounds(minimum: 1, maximum: 1)) { (test) async throws in
                await #expect(throws: DatabaseError.deadlineExceeded) {
                    try await test.pool.transaction { transaction in
                        try await transaction.query(insert, [.int64(1)])
                        let deadline = TaskDeadline(expiry: .now + .nanoseconds(second / 10))
                        try await TaskDeadline.$current.withValue(deadline) {
                            _ = try await transaction.query(PoolTests.sleep, [.int64(4000)])
                        }
                    }
                }
                _ = try await test.pool.query(insert, [.int64(2)])
                #expect(try await Server.value("SELECT array_agg(number) FROM \(table)") == "{2}")
            }
        }
    }

    @Test func `a caller with a deadline before the wait limit fails at its deadline`() async throws {
        try await withPool(PoolBounds(minimum: 1, maximum: 1, wait: 5000)) { (test) async throws in
            let gate = Gate()
            let lent = Task { try await test.pool.transaction { _ in await gate.wait() } }
            await test.log.wait(\.isSent)
            let pool = test.pool
            let elapsed = try await test.onLoop {
                let start = Instant.now
                await TaskDeadline.$current.withValue(TaskDeadline(expiry: start + .milliseconds(50))) {
                    await #expect(throws: DatabaseError.waitTimedOut) { try await pool.transaction { _ in } }
                }
                return Instant.now.nanoseconds(since: start)
            }
            #expect(elapsed < 3 * second)
            gate.open()
            try await lent.value
        }
    }

    @Test func `a late statement on a lost connection is cancelled too, and its place is kept until then`()
        async throws
    {
        var options = Server.options
        options.statementTimeout = .milliseconds(60_000)
        let bounds = PoolBounds(minimum: 1, maximum: 1, statement: 60_000)
        try await withPool(bounds, options: always(options)) { (test) async throws in
            let update = Statement("update", "SELECT pg_sleep($1::int8 / 1000.0)", kind: .update)
            // On a busy machine the deadline may pass before it is observed.
            var isTried = false
            for limit in [200, 1000, 5000, 20_000].map({ $0 * milliseconds }) where !isTried {
                let backend = try await test.backend()
                async let outcome = test.failure(of: update, [.int64(30_000)], within: limit)
                let running =
                    "SELECT count(*) FROM pg_stat_activity WHERE pid = \(backend) AND wait_event = 'PgSleep'"
                #expect(try await Server.wait(for: running, toBe: "1"))
                if let (after, next) = await test.pool.loseWhenLate() {
                    #expect(after.map(\.isEnding) == [true])
                    if case .wait(until: _?) = next {} else { Issue.record("\(next)") }
                    isTried = true
                }
                #expect(try await outcome.error == .deadlineExceeded)
                #expect(try await Server.wait(for: running, toBe: "0"))
                let end = Instant.now + .seconds(10)
                while await test.pool.keepsPlaces, Instant.now < end {
                    await test.loop.pause(for: .milliseconds(1))
                }
                #expect(await !test.pool.keepsPlaces)
            }
            #expect(isTried)
        }
    }
}

extension PoolState.Use {
    fileprivate var isEnding: Bool { if case .ending = self { true } else { false } }
}

extension Pool {
    /// Whether closed connections still keep their places.
    fileprivate var keepsPlaces: Bool {
        get async { await onLoop { $0.state.uses.values.contains(where: \.isEnding) } }
    }

    /// Breaks the only connection in the same iteration in which the deadline of its statement passes.
    ///
    /// - Returns: the pool's uses and its next step for waiting callers; nil if the deadline had passed before.
    fileprivate func loseWhenLate() async -> ([PoolState.Use], PoolState.Next)? {
        await onLoop { pool in
            await withCheckedContinuation { continuation in
                let end = pool.loop.makeDeadline {
                    guard let slot = pool.state.slots.all.first, slot.isBusy, !slot.cancellation.isOnItsWay,
                        pool.loop.now >= slot.deadline
                    else { return continuation.resume(returning: nil) }
                    pool.handle(.timer(.connection(slot.id)))
                    pool.handle(.broke(slot.id, .connectionLost, unsent: 0))
                    let next = pool.state.next(oldest: Instant(nanoseconds: 0))
                    continuation.resume(returning: (Array(pool.state.uses.values), next))
                }
                pool.loop.arm(end, at: pool.state.slots.all.first?.deadline ?? pool.loop.now)
            }
        }
    }
}
