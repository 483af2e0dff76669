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

    @Test func `no pool's minimum is above its maximum`() {
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
    func `the bounds are those of all loops together`(maximum: Int) async throws {
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
}
