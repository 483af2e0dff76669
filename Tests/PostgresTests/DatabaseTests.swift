import Platform
import Reactor
import Testing

@testable import Postgres

struct DatabaseTests {
    @Test func `shares differ by at most one and add up`() {
        for total in 0...20 {
            for count in 1...8 {
                let shares = (0..<count).map { Database.share($0, of: total, in: count) }
                #expect(shares.reduce(0, +) == total)
                #expect((shares.max() ?? 0) - (shares.min() ?? 0) <= 1)
            }
        }
    }

    @Test func `no pool's minimum exceeds its maximum`() {
        for maximum in 1...12 {
            for minimum in 0...maximum {
                for count in 1...maximum {
                    for index in 0..<count {
                        let least = Database.share(index, of: minimum, in: count)
                        let most = Database.share(index, of: maximum, in: count)
                        #expect(least <= most && most >= 1)
                    }
                }
            }
        }
    }

    @Test(.needsServer, .timeLimit(.minutes(1)), arguments: [1, 2, 4, 7])
    func `the bounds apply to all loops together`(maximum: Int) async throws {
        let loops = try (0..<3).map { try EventLoop(index: $0) }
        for loop in loops { try loop.start() }
        defer { for loop in loops { loop.stop() } }
        let name = Server.uniqueName()
        let connector = Connector(options: always(Server.options)) { (session) throws(DatabaseError) in
            try session.execute("SET application_name = '\(name)'")
        }
        var options = Database.Options()
        options.minimum = min(2, maximum)
        options.maximum = maximum
        let database = Database(on: loops, options: options, connector: connector) { _ in { _ in } }
        await database.open()
        let open = "SELECT count(*) FROM pg_stat_activity WHERE application_name = '\(name)'"
        #expect(try await Server.value(open) == "\(options.minimum)")
        let sleep = Statement("sleep", "SELECT pg_sleep(0.02)", kind: .update)
        try await withThrowingTaskGroup { group in
            for loop in loops {
                for _ in 0..<20 { group.addTask { _ = try await database.pool(for: loop).query(sleep) } }
            }
            try await group.waitForAll()
        }
        let count = Int(try await Server.value(open) ?? "") ?? 0
        #expect(count >= options.minimum && count <= maximum)
        let load = await database.load()
        #expect(load.open == count && load.inUse == 0 && load.waiting == 0)
        let closing = Task { try await database.run() }
        closing.cancel()
        try await closing.value
        #expect(try await Server.wait(for: open, toBe: "0"))
    }

    @Test(.needsServer, .timeLimit(.minutes(1)))
    func `when one loop retires its connections, the others reopen theirs`()
        async throws
    {
        let loops = try (0..<2).map { try EventLoop(index: $0) }
        for loop in loops { try loop.start() }
        defer { for loop in loops { loop.stop() } }
        try await withTable { table in
            let name = Server.uniqueName()
            let read = Statement("read", "SELECT number, label FROM \(table) WHERE number = $1::int8")
            let connector = Connector(options: always(Server.options), statements: [read]) {
                (session) throws(DatabaseError) in try session.execute("SET application_name = '\(name)'")
            }
            var options = Database.Options()
            options.minimum = 2
            options.maximum = 2
            let database = Database(on: loops, options: options, connector: connector) { _ in { _ in } }
            await database.open()
            let mine = "FROM pg_stat_activity WHERE application_name = '\(name)'"
            let first = try await Server.value("SELECT string_agg(pid::text, ',') \(mine)") ?? ""
            #expect(first.contains(","))
            try await Server.execute("ALTER TABLE \(table) ALTER COLUMN label TYPE varchar(300)")
            _ = try await database.pool(for: loops[0]).query(read, [.int64(1)])
            // The other loop has had no statement.
            #expect(try await Server.wait(for: "SELECT count(*) \(mine) AND pid IN (\(first))", toBe: "0"))
            let closing = Task { try await database.run() }
            closing.cancel()
            try await closing.value
        }
    }

    @Test(.needsServer, .timeLimit(.minutes(1)))
    func `when one loop reaches the database, the others retry at once`()
        async throws
    {
        let loops = try (0..<2).map { try EventLoop(index: $0) }
        for loop in loops { try loop.start() }
        defer { for loop in loops { loop.stop() } }
        let isThere = Gate()
        let connector = Connector(options: { () throws(DatabaseError) in
            guard isThere.isOpen else { throw .connectFailed("nobody is there") }
            return Server.options
        })
        let logs = [EventLog(), EventLog()]
        let pools = zip(loops, logs).map { loop, log in
            Pool(
                on: loop, minimum: 1, maximum: 1, waitLimit: .milliseconds(1000), statementLimit: .milliseconds(1000),
                connector: connector, observe: log.note)
        }
        for (pool, other) in zip(pools, pools.reversed()) { await pool.open(beside: [other]) }
        #expect(logs[0].has(\.isDown) && logs[1].has(\.isDown))
        // The second pool makes no attempt by itself from now on.
        await pools[1].stopTrying()
        isThere.open()
        await logs[0].wait(\.isUp)
        let end = Instant.now + .milliseconds(10_000)
        while !logs[1].has(\.isUp), Instant.now < end {
            await loops[1].pause(for: .milliseconds(1))
        }
        #expect(logs[1].has(\.isUp))
        for pool in pools { await pool.close(within: .milliseconds(1000)) }
    }
}

extension Pool {
    /// Stops the retry timer, so that no attempt follows.
    fileprivate func stopTrying() async {
        await onLoop { pool in
            repeat {
                await pool.loop.sleep(for: .milliseconds(1))
                if let pause = pool.timers[.retry] { pool.loop.cancel(pause) }
            } while !pool.state.uses.isEmpty
        }
    }
}
