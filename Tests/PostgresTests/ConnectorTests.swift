import CPostgres
import Glibc
import Platform
import Reactor
import Synchronization
import Testing

@testable import Postgres

@Suite(.needsServer, .timeLimit(.minutes(1)))
struct ConnectorTests {
    @Test func `an unreachable server is reported, and statements are refused at once`() async throws {
        var options = Server.options
        options.host = "/nonexistent"
        try await withPool(options: always(options)) { (test) async throws in
            let error = test.log.events.lazy.compactMap(\.openError).first
            guard case .connectFailed(let reason)? = error else {
                Issue.record("\(error.debugDescription)")
                return
            }
            #expect(reason.contains("No such file or directory"))
            #expect(test.log.has(\.isDown))
            let (refusal, elapsed) = try await test.failure(of: PoolTests.one)
            #expect(refusal == .unavailable)
            #expect(elapsed < 1000 * milliseconds)
            await #expect(throws: DatabaseError.unavailable) { try await test.pool.transaction { _ in } }
        }
    }

    @Test func `an unknown user is reported`() async throws {
        var options = Server.options
        options.user = "nobody_of_that_name"
        try await withPool(options: always(options)) { (test) async throws in
            let error = test.log.events.lazy.compactMap(\.openError).first
            #expect(error?.sqlState == "28000" && error?.errorClass == .authentication)
            #expect("\(error, default: "")".contains("nobody_of_that_name"))
            #expect(test.log.has(\.isDown))
        }
    }

    @Test func `connects when the server comes up, with the current options`() async throws {
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
            #expect(try await test.pool.query(PoolTests.one)[0].int64(0) == 1)
            #expect(try await Server.value(test.connectionsQuery) == "2")
        }
    }

    @Test func `when another pool reaches the database, statements wait for the next attempt`() async throws {
        // The first attempt fails. Each later one waits until the database is there, whoever begins it: the news or the
        // end of a pause.
        final class Arrival: Sendable {
            let attempts = Attempts()
            let isThere = Atomic(false)
        }
        let arrival = Arrival()
        let options = { @Sendable () throws(DatabaseError) -> ConnectionOptions in
            if arrival.attempts.next() == 1 { throw .connectFailed("no password yet") }
            while !arrival.isThere.load(ordering: .relaxed) { usleep(1000) }
            return Server.options
        }
        defer { arrival.isThere.store(true, ordering: .relaxed) }
        // Limits that are not reached even on a busy machine.
        let bounds = PoolBounds(minimum: 1, maximum: 1, wait: 50_000, statement: 50_000)
        try await withPool(bounds, options: options) { (test) async throws in
            await #expect(throws: DatabaseError.unavailable) { try await test.pool.query(PoolTests.one) }
            await test.pool.onLoop { $0.heardOfSibling(.opened) }
            async let rows = test.pool.query(PoolTests.one)
            while await test.pool.load().waiting == 0 { await test.loop.pause(for: .milliseconds(1)) }
            arrival.isThere.store(true, ordering: .relaxed)
            #expect(try await rows[0].int64(0) == 1)
            #expect(test.log.count(\.isDown) == 1 && test.log.count(\.isUp) == 1)
        }
    }

    @Test func `an attempt whose user is refused is repeated with renewed options`() async throws {
        let count = Attempts()
        let options = { @Sendable () throws(DatabaseError) -> ConnectionOptions in
            var options = Server.options
            if count.next() == 1 { options.user = "nobody_of_that_name" }
            return options
        }
        let connector = Connector(options: options, renew: { $0.user == "nobody_of_that_name" })
        #expect(try connector.session().execute("SELECT current_user") == [[Server.options.user]])
    }

    @Test func `the pause is longer for a server without free connections than for an unreachable one`()
        async throws
    {
        func longestPause(after error: DatabaseError) async throws -> UInt64 {
            let options = { @Sendable () throws(DatabaseError) -> ConnectionOptions in throw error }
            var longest: UInt64 = 0
            // Each pause is drawn at random, so several are compared.
            for _ in 0..<16 {
                let pause = try await withPool(options: options) { (test) async in
                    await test.pool.pauseBeforeNextAttempt
                }
                longest = max(longest, pause ?? 0)
            }
            return longest
        }
        let full = DatabaseError.server(.init(sqlState: "53300", message: "sorry, too many clients", constraint: nil))
        #expect(try await longestPause(after: full) > 100 * milliseconds)
        #expect(try await longestPause(after: .connectFailed("nobody is there")) < 100 * milliseconds)
    }

    @Test func `a connection on which preparing fails is not used`() async throws {
        let wrong = Statement("wrong", "SELECT nothing FROM nowhere")
        try await withPool(statements: [wrong]) { (test) async throws in
            let error = test.log.events.lazy.compactMap(\.openError).first
            #expect(error?.sqlState == "42P01")
            // Not `.unavailable`: the database is up, with another schema.
            let refusal = await failure { () throws(DatabaseError) in try await test.pool.query(PoolTests.one) }
            #expect(refusal?.sqlState == "42P01")
        }
    }

    @Test func `calls schemaChanged for a refused statement, not for a lost connection`() async throws {
        let (count, wrong) = (Attempts(), Statement("wrong_schema", "SELECT nothing FROM nowhere"))
        let changed = Connector(
            options: always(Server.options), statements: [wrong], schemaChanged: { _ = count.next() })
        #expect(await changed.connect().error?.sqlState == "42P01")
        #expect(count.next() == 2)
        let lost = Connector(
            options: always(Server.options), statements: [wrong],
            prepare: { (session) throws(DatabaseError) in
                _ = try? session.execute("SELECT pg_terminate_backend(pg_backend_pid())")
            }, schemaChanged: { _ = count.next() })
        #expect(await lost.connect().error == .connectionLost)
        #expect(count.next() == 3)
    }

    @Test(arguments: [true, false])
    func `a connection without prepared statements counts as pooled, and neither kind blocks`(prepares: Bool)
        async throws
    {
        var options = Server.options
        options.prepares = prepares
        let statement = Statement("of_a_connection", "SELECT 1")
        let opened = try await Connector(options: always(options), statements: [statement]).connect().get()
        #expect(opened.isPooled == !prepares)
        #expect(opened.prepared.indices.filter { opened.prepared[$0] } == (prepares ? [statement.ordinal] : []))
        #expect(unsafe PQisnonblocking(opened.handle.pointer) == 1)
        #expect(unsafe PQpipelineStatus(opened.handle.pointer) == PQ_PIPELINE_ON)
    }

    /// Interrupts a connector during a session's `prepare`, which ends once `isOver` is set.
    private func interrupt(
        withinMilliseconds limit: Int, _ isOver: Flag, _ body: (EventLoop, Task<Bool, Never>) async throws -> Void
    ) async throws {
        let loop = try EventLoop(index: 0)
        try loop.start()
        defer { loop.stop() }
        let isPreparing = Flag()
        let connector = Connector(
            options: always(Server.options),
            prepare: { _ in
                isPreparing.isSet.store(true, ordering: .relaxed)
                while !isOver.isSet.load(ordering: .relaxed) { usleep(1000) }
            }, interruption: try Interruption())
        let connecting = Task { await connector.connect() }
        while !isPreparing.isSet.load(ordering: .relaxed) { await Task.yield() }
        let interrupting = Task(executorPreference: loop) {
            await connector.interrupt(on: loop, within: .milliseconds(limit))
            return isOver.isSet.load(ordering: .relaxed)
        }
        try await body(loop, interrupting)
        isOver.isSet.store(true, ordering: .relaxed)
        _ = await connecting.value
    }

    @Test func `an interruption ends with the last session that prepares`() async throws {
        let isOver = Flag()
        try await interrupt(withinMilliseconds: 600_000, isOver) { (loop, interrupting) async in
            // Enough time for an interruption that does not wait to end.
            for _ in 0..<20 { await loop.pause(for: .milliseconds(5)) }
            isOver.isSet.store(true, ordering: .relaxed)
            #expect(await interrupting.value)
        }
    }

    @Test func `an interruption waits a bounded time for a session that does not end`() async throws {
        try await interrupt(withinMilliseconds: 20, Flag()) { (_, interrupting) async in
            #expect(await !interrupting.value)
        }
    }
}

private final class Flag: Sendable {
    let isSet = Atomic(false)
}

extension Pool {
    /// The remaining pause in nanoseconds; nil if this is no longer the first one.
    fileprivate var pauseBeforeNextAttempt: UInt64? {
        get async {
            await onLoop { pool in
                guard pool.state.failures == 1 else { return nil }
                let now = pool.loop.now
                return (pool.state.moment(of: .retry) ?? now).nanoseconds(since: now)
            }
        }
    }
}
