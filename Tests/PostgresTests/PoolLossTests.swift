import Glibc
import Platform
import Reactor
import Testing

@testable import Postgres

@Suite(.needsServer, .timeLimit(.minutes(1)))
struct PoolLossTests {
    @Test func `a connection that breaks while idle is replaced`() async throws {
        try await withPool(PoolBounds(minimum: 1, maximum: 1)) { (test) async throws in
            let backend = try await test.backend()
            try await Server.execute("SELECT pg_terminate_backend(\(backend))")
            await test.log.wait(\.isReconnected)
            #expect(try await test.backend() != backend)
            #expect(test.log.count(\.isLost) == 1)
            #expect(!test.log.has(\.isDown))
        }
    }

    @Test func `a repeated read is not sent on a connection that broke with the first`() async throws {
        try await withPool(PoolBounds(minimum: 4, maximum: 4)) { (test) async throws in
            await test.log.wait(for: 4, \.isOpened)
            for round in 1...10 {
                let number = try await test.onLoop {
                    // Blocks the loop, so that it sends before it is notified of any connection's end.
                    let mine = "FROM pg_stat_activity WHERE application_name = '\(test.name)'"
                    try Session(Server.options).execute("SELECT pg_terminate_backend(pid) \(mine)")
                    #expect(try Server.block(until: "SELECT count(*) \(mine)", is: "0"))
                    return try await test.pool.query(PoolTests.one)[0].int64(0)
                }
                #expect(number == 1)
                await test.log.wait(for: 4 * (round + 1), \.isOpened)
            }
        }
    }

    @Test func `when one connection falls silent, the idle ones are closed too`() async throws {
        try await withPool(PoolBounds(minimum: 2, maximum: 2)) { (test) async throws in
            await test.log.wait(for: 2, \.isOpened)
            let mine = "FROM pg_stat_activity WHERE application_name = '\(test.name)'"
            let text = try await Server.value("SELECT string_agg(pid::text, ' ') \(mine)") ?? ""
            let backends = text.split(separator: " ").compactMap { Int32($0) }
            #expect(backends.count == 2)
            defer { for backend in backends { kill(backend, SIGCONT) } }
            for backend in backends { #expect(kill(backend, SIGSTOP) == 0) }
            let (error, _) = try await test.failure(of: PoolTests.one, within: 50 * milliseconds)
            #expect(error == .deadlineExceeded)
            await test.log.wait(\.isLost)
            // The loop has processed its previous events.
            await test.loop.perform {}
            #expect(test.log.count(\.isLost) == 2)
            #expect(try await test.pool.query(PoolTests.one)[0].int64(0) == 1)
        }
    }

    @Test func `a read with time left runs again elsewhere when its connection is given up for another statement`()
        async throws
    {
        try await withPool(PoolBounds(minimum: 1, maximum: 1)) { (test) async throws in
            let backend = Int32(try await test.backend())
            defer { kill(backend, SIGCONT) }
            try #require(kill(backend, SIGSTOP) == 0)
            let queries = [(PoolTests.one, [Parameter]()), (PoolTests.one, [])]
            let outcomes = try await test.queryTogether(queries, limits: [0: 50 * milliseconds])
            #expect(outcomes.map(\.error) == [.deadlineExceeded, nil])
        }
    }

    @Test func `a passed deadline does not wake the loop again while the server may still react`()
        async throws
    {
        try await withPool(PoolBounds(minimum: 1, maximum: 1)) { (test) async throws in
            let backend = Int32(try await test.backend())
            defer { kill(backend, SIGCONT) }
            try #require(kill(backend, SIGSTOP) == 0)
            let (isForServer, error) = try await test.onLoop {
                let (error, _) = try await test.failure(of: PoolTests.one, within: 50 * milliseconds)
                return (await test.pool.isDeadlineForServer, error)
            }
            #expect(error == .deadlineExceeded && isForServer)
        }
    }

    @Test func `a connection found broken twice in one iteration is lost once`() async throws {
        try await withPool(PoolBounds(minimum: 1, maximum: 1)) { (test) async throws in
            await test.pool.loseTwice()
            #expect(test.log.count(\.isLost) == 1)
            #expect(try await test.pool.query(PoolTests.one)[0].int64(0) == 1)
        }
    }

    @Test func `a connection whose transaction did not end is not reused`() async throws {
        try await withPool(PoolBounds(minimum: 1, maximum: 1)) { (test) async throws in
            let backend = try await test.backend()
            try await test.pool.leaveTransactionOpen()
            #expect(try await test.backend() != backend)
        }
    }

    @Test func `a read waiting to be repeated waits no longer than its own deadline`() async throws {
        // The second connection opens after the read has ended.
        let attempts = Attempts()
        let isOver = Gate()
        let options = { @Sendable () throws(DatabaseError) -> ConnectionOptions in
            if attempts.next() > 1 { while !isOver.isOpen { usleep(1000) } }
            return Server.options
        }
        let bounds = PoolBounds(minimum: 1, maximum: 1, wait: 10_000, statement: 20_000)
        try await withPool(bounds, options: options) { (test) async throws in
            defer { isOver.open() }
            let backend = try await test.backend()
            let reading = Task {
                try await test.failure(of: PoolTests.sleep, [.int64(30_000)], within: 1000 * milliseconds)
            }
            await test.log.wait(for: 2, \.isSent)
            // Another caller waits, with more time.
            let waiting = Task { try await test.pool.query(PoolTests.one)[0].int64(0) }
            for _ in 0..<1000 where await test.pool.load().waiting == 0 { await test.loop.perform {} }
            try await Server.execute("SELECT pg_terminate_backend(\(backend))")
            let (error, elapsed) = try await reading.value
            #expect(error == .deadlineExceeded && elapsed < 7000 * milliseconds)
            isOver.open()
            #expect(try await waiting.value == 1)
        }
    }

    @Test func `a late write on a connection given up for another statement is reported as uncertain`() async throws {
        try await withTable { table in
            let insert = Statement("insert", "INSERT INTO \(table) VALUES ($1::int8, 'x')", kind: .insert)
            try await withPool(PoolBounds(minimum: 1, maximum: 1)) { (test) async throws in
                let backend = Int32(try await test.backend())
                defer { kill(backend, SIGCONT) }
                try #require(kill(backend, SIGSTOP) == 0)
                try await test.onLoop {
                    let start = Instant.now
                    func write(_ number: Int64, within limit: Duration) async -> DatabaseError? {
                        await TaskDeadline.$current.withValue(TaskDeadline(expiry: start + limit)) {
                            await failure { () throws(DatabaseError) in
                                try await test.pool.query(insert, [.int64(number)])
                            }
                        }
                    }
                    async let patient = write(1, within: .milliseconds(400))
                    #expect(await write(2, within: .milliseconds(50)) == .deadlineExceeded)
                    // Simulates a suspension: the other statement's deadline and the server's limit pass in one
                    // iteration.
                    let end = Instant.now + Cancellation.grace
                    while Instant.now < end {}
                    #expect(await patient == .deadlineExceeded)
                }
                #expect(test.log.has(\.isLost))
            }
        }
    }

    @Test func `a read in flight on a connection that breaks runs again elsewhere`() async throws {
        try await withTable { table in
            try await Server.execute("CREATE SEQUENCE \(table)_runs OWNED BY \(table).number")
            // The first run lasts until its session is terminated.
            let read = Statement(
                "read",
                """
                SELECT CASE WHEN nextval('\(table)_runs') > 1 THEN 7::int8
                ELSE (SELECT 1::int8 FROM pg_sleep(40)) END
                """)
            var options = Server.options
            options.statementTimeout = .milliseconds(50_000)
            let bounds = PoolBounds(minimum: 1, maximum: 1, wait: 200, statement: 50_000)
            try await withPool(bounds, options: always(options)) { (test) async throws in
                let backend = try await test.backend()
                // It has run longer than the wait limit, but running is not waiting.
                let reading = Task { try await test.queryTogether([(read, []), (PoolTests.one, [])]) }
                await test.log.wait(for: 3, \.isSent)
                await test.loop.pause(for: .milliseconds(300))
                try await Server.execute("SELECT pg_terminate_backend(\(backend))")
                let outcomes = try await reading.value
                #expect(try outcomes[0].get()[0].int64(0) == 7)
                #expect(try outcomes[1].get()[0].int64(0) == 1)
                #expect(test.log.count(\.isLost) == 1)
                #expect(try await test.backend() != backend)
            }
        }
    }

    @Test func `a read survives the loss of the maximum of connections plus one`()
        async throws
    {
        try await withTable { table in
            try await Server.execute("CREATE SEQUENCE \(table)_runs OWNED BY \(table).number")
            // Terminates its own connection the first three times.
            let read = Statement(
                "read",
                """
                SELECT CASE WHEN nextval('\(table)_runs') > 3 THEN 7::int8
                ELSE (SELECT 1::int8 FROM pg_terminate_backend(pg_backend_pid()), pg_sleep(5)) END
                """)
            try await withPool(PoolBounds(minimum: 1, maximum: 2)) { (test) async throws in
                #expect(try await test.pool.query(read)[0].int64(0) == 7)
                #expect(test.log.count(\.isLost) == 3)
            }
        }
    }

    @Test func `a read that ends every connection fails eventually`() async throws {
        let read = Statement("read", "SELECT 1 FROM pg_terminate_backend(pg_backend_pid()), pg_sleep(5)")
        try await withPool(PoolBounds(minimum: 1, maximum: 2)) { (test) async throws in
            let error = await failure { () throws(DatabaseError) in try await test.pool.query(read) }
            #expect(error?.sqlState == "57P01")
            #expect(test.log.count(\.isLost) == 4)
        }
    }

    @Test func `the wait limit does not apply to a repeated read`() async throws {
        // The second connection takes longer to open than the wait limit.
        let attempts = Attempts()
        let options = { @Sendable () throws(DatabaseError) -> ConnectionOptions in
            if attempts.next() > 1 { try Session(Server.options).execute("SELECT pg_sleep(0.4)") }
            return Server.options
        }
        try await withPool(PoolBounds(minimum: 1, maximum: 1, wait: 100), options: options) { (test) async throws in
            let backend = try await test.backend()
            let reading = Task { try await test.pool.query(PoolTests.sleep, [.int64(500)]) }
            await test.log.wait(for: 2, \.isSent)
            try await Server.execute("SELECT pg_terminate_backend(\(backend))")
            #expect(try await reading.value[0].int64(1) == 7)
        }
    }

    @Test func `a write in flight on a connection that breaks is not repeated`() async throws {
        try await withTable { table in
            let insert = Statement(
                "insert", "INSERT INTO \(table) SELECT $1::int8, 'x' FROM pg_sleep(3)", kind: .insert)
            try await withPool(PoolBounds(minimum: 1, maximum: 1)) { (test) async throws in
                let backend = try await test.backend()
                let writing = Task {
                    await failure { () throws(DatabaseError) in try await test.pool.query(insert, [.int64(1)]) }
                }
                #expect(try await Server.wait(for: "\(test.connectionsQuery) AND wait_event = 'PgSleep'", toBe: "1"))
                try await Server.execute("SELECT pg_terminate_backend(\(backend))")
                let error = await writing.value
                #expect(error?.sqlState == "57P01" || error == .connectionLost)
                #expect(try await test.pool.query(PoolTests.one)[0].int64(0) == 1)
                #expect(try await Server.value("SELECT count(*) FROM \(table)") == "0")
            }
        }
    }

    @Test func `statements that could not be sent on a broken connection are sent on another one`() async throws {
        try await withTable { table in
            let update = Statement(
                "update", "INSERT INTO \(table) VALUES ($1::int8, 'x') RETURNING number", kind: .update)
            try await withPool(PoolBounds(minimum: 1, maximum: 1)) { (test) async throws in
                let backend = try await test.backend()
                let outcomes = try await test.onLoop {
                    // Blocks the loop, so that it sends before it is notified of the connection's end.
                    try Session(Server.options).execute("SELECT pg_terminate_backend(\(backend))")
                    let isGone = try Server.block(
                        until: "SELECT count(*) FROM pg_stat_activity WHERE pid = \(backend)", is: "0")
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
                #expect(
                    failed.allSatisfy { $0 == .connectionLost || $0.sqlState == "57P01" },
                    "\(Set(failed.map(\.description)))")
                #expect(try await Server.value("SELECT count(*) FROM \(table)") == "\(200 - failed.count)")
                #expect(failed.count < 200)
            }
        }
    }

    @Test func `a server that ends during a write loses the connection, not the process`() async throws {
        let length = Statement("length", "SELECT length($1::text)::int8")
        try await withPool(PoolBounds(minimum: 1, maximum: 1)) { (test) async throws in
            let backend = try await test.backend()
            let work = Task {
                try await test.pool.transaction { transaction in
                    async let slow = failure { () throws(DatabaseError) in
                        try await transaction.query(PoolTests.sleep, [.int64(4000)])
                    }
                    await test.log.wait(for: 3, \.isSent)
                    // The server does not read while it sleeps, so the rest must wait for the socket.
                    let text = String(repeating: "x", count: 4_000_000)
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
            #expect(try await Server.wait(for: "\(test.connectionsQuery) AND wait_event = 'PgSleep'", toBe: "1"))
            try await Server.execute("SELECT pg_terminate_backend(\(backend))")
            await #expect(throws: DatabaseError.connectionLost) { try await work.value }
            #expect(test.log.count(\.isLost) == 1)
            #expect(try await test.pool.query(PoolTests.one)[0].int64(0) == 1)
        }
    }

    // Read-only servers.

    /// Makes the session of the pool's only connection read-only.
    private func makeReadOnly(_ test: TestPool) async throws {
        let readOnly = Statement(
            "read_only", "SET SESSION CHARACTERISTICS AS TRANSACTION READ ONLY", kind: .update)
        _ = try await test.pool.query(readOnly)
    }

    @Test func `a write refused by a read-only server retires all connections open then, and no later one`()
        async throws
    {
        try await withTable { table in
            let insert = Statement("insert", "INSERT INTO \(table) VALUES ($1::int8, 'x')", kind: .insert)
            try await withPool(PoolBounds(minimum: 2, maximum: 2)) { (test) async throws in
                await test.log.wait(for: 2, \.isOpened)
                try await makeReadOnly(test)
                let error = await failure { () throws(DatabaseError) in try await test.pool.query(insert, [.int64(1)]) }
                #expect(error?.sqlState == "25006")
                await test.log.wait(for: 2, \.isReconnected)
                #expect(test.log.count(\.isLost) == 2)
                _ = try await test.pool.query(insert, [.int64(2)])
                #expect(try await Server.value("SELECT number FROM \(table)") == "2")
            }
        }
    }

    @Test func `a server that stays read-only serves reads, and connections are not reopened for each write`()
        async throws
    {
        try await withTable { table in
            let insert = Statement("insert", "INSERT INTO \(table) VALUES ($1::int8, 'x')", kind: .insert)
            let readOnly = "SET SESSION CHARACTERISTICS AS TRANSACTION READ ONLY"
            try await withPool(PoolBounds(minimum: 1, maximum: 1), preparing: readOnly) { (test) async throws in
                let outcomes = try await test.queryTogether(
                    (0..<40).map { $0 % 2 == 0 ? (insert, [.int64(Int64($0))]) : (PoolTests.one, []) })
                for (index, outcome) in outcomes.enumerated() {
                    if index % 2 == 0 {
                        #expect(outcome.error?.sqlState == "25006")
                    } else {
                        #expect(try outcome.get()[0].int64(0) == 1)
                    }
                }
                for number in 0..<20 {
                    _ = await failure { () throws(DatabaseError) in
                        try await test.pool.query(insert, [.int64(Int64(number))])
                    }
                }
                // 40 writes were refused, but retirement happens at most once per second.
                #expect(test.log.count(\.isLost) < 20)
                #expect(!test.log.has(\.isDown))
            }
        }
    }
}

extension Pool {
    /// Whether the only connection's timer is set to the end of the server's time to react, or not at all.
    fileprivate var isDeadlineForServer: Bool {
        get async {
            await onLoop { pool in
                guard let slot = pool.state.slots.all.first(where: \.isOpen) else { return true }
                return slot.deadline == slot.cancellation.limit ?? .distantFuture
            }
        }
    }

    /// As the reading and the writing side would.
    fileprivate func loseTwice() async {
        await onLoop { pool in
            guard let connection = pool.connections.values.first else { return }
            pool.handle(.broke(connection.id, .connectionLost, unsent: 0))
            pool.handle(.broke(connection.id, .connectionLost, unsent: 0))
        }
    }

    /// Leaves the state after a stopped ROLLBACK.
    fileprivate func leaveTransactionOpen() async throws {
        let identifier = try await lease()
        _ = try await execute(Transaction.begin, [], on: identifier)
        giveBack(identifier)
    }
}
