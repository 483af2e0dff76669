import Platform
import Reactor
import Synchronization
import Testing

@testable import Postgres

@Suite(.needsServer, .timeLimit(.minutes(1)))
struct QueryTests {
    private let failing = Statement("failing", "SELECT 1 / 0")

    /// Runs the query from the pool's loop, from another one or from none; returns whether the completion ran on the
    /// caller's loop.
    private func ask(
        _ test: TestPool, _ statement: Statement, on loop: EventLoop?, until expiry: Instant? = nil
    ) async -> (outcome: Result<Rows, DatabaseError>, isOnLoop: Bool) {
        await withCheckedContinuation { continuation in
            Task(executorPreference: loop) {
                test.pool.query(statement) { $0 }.begin(on: loop, until: expiry) { outcome in
                    continuation.resume(returning: (outcome, loop?.isIsolatingCurrentContext() ?? true))
                }
            }
        }
    }

    @Test(arguments: ["its own", "another", "none"])
    func `the completion runs on the caller's loop`(which: String) async throws {
        let other = try EventLoop(index: 1)
        try other.start()
        defer { other.stop() }
        try await withPool { (test) async throws in
            let loop = ["its own": test.loop, "another": other][which]
            let (outcome, isOnLoop) = await ask(test, PoolTests.one, on: loop)
            #expect(try outcome.get()[0].int64(0) == 1)
            #expect(isOnLoop)
            let (failure, isFailureOnLoop) = await ask(test, failing, on: loop)
            #expect(throws: DatabaseError.self) { try failure.get() }
            #expect(isFailureOnLoop)
        }
    }

    @Test func `a query ends at its deadline`() async throws {
        try await withPool { (test) async throws in
            let slow = Statement("slow", "SELECT pg_sleep(10)")
            let limit = Instant.now + .milliseconds(50)
            let (outcome, _) = await ask(test, slow, on: test.loop, until: limit)
            #expect(throws: DatabaseError.deadlineExceeded) { try outcome.get() }
        }
    }

    @Test func `a refused query completes before the call returns`() async throws {
        try await withPool { (test) async throws in
            await test.pool.close(within: .milliseconds(0))
            let errors = try await test.onLoop {
                let errors = Mutex<[DatabaseError]>([])
                test.pool.query(PoolTests.one) { $0 }.begin(on: test.loop, until: nil) { outcome in
                    if case .failure(let error) = outcome { errors.withLock { $0.append(error) } }
                }
                return errors.withLock { $0 }
            }
            #expect(errors == [.closing])
        }
    }

    @Test func `a completion may run the next query`() async throws {
        try await withPool(PoolBounds(minimum: 1, maximum: 1)) { (test) async throws in
            let number = await withCheckedContinuation { (continuation: CheckedContinuation<Int64?, Never>) in
                Task(executorPreference: test.loop) {
                    let question = test.pool.query(PoolTests.one) { $0 }
                    question.begin(on: test.loop, until: nil) { _ in
                        question.begin(on: test.loop, until: nil) { outcome in
                            continuation.resume(returning: try? outcome.get()[0].int64(0))
                        }
                    }
                }
            }
            #expect(number == 1)
        }
    }

    @Test func `its value is decoded, then mapped`() async throws {
        try await withPool { (test) async throws in
            let one = test.pool.query(PoolTests.one) { try $0[0].int64(0) }
            #expect(try await one.value == 1)
            #expect(try await one.map { "\($0 + 1)" }.value == "2")
            // A query can be run again.
            #expect(try await one.value == 1)
        }
    }

    @Test func `rethrows errors of decoding unchanged`() async throws {
        struct Unreadable: Error {}
        try await withPool { (test) async throws in
            let query = test.pool.query(PoolTests.one) { (_) throws -> Int64 in throw Unreadable() }
            await #expect(throws: Unreadable.self) { try await query.value }
            await #expect(throws: Unreadable.self) { try await query.map { $0 + 1 }.value }
        }
    }

    @Test func `value uses the deadline of the calling task`() async throws {
        try await withPool { (test) async throws in
            let slow = test.pool.query(Statement("slow", "SELECT pg_sleep(10)")) { $0.count }
            let deadline = TaskDeadline()
            deadline.expiry = Instant.now + .milliseconds(50)
            await TaskDeadline.$current.withValue(deadline) {
                await #expect(throws: DatabaseError.deadlineExceeded) { try await slow.value }
            }
        }
    }

    @Test func `decodes one row, the first or all of them`() async throws {
        try await withPool { (test) async throws in
            let none = Statement("none", "SELECT 1::int8 WHERE false")
            let three = Statement("three", "SELECT * FROM generate_series(1::int8, 3)")
            let number = { @Sendable (row: Row) throws in try row.int64(0) }
            #expect(try await test.pool.one(three, [], number).value == 1)
            #expect(try await test.pool.first(three, [], number).value == 1)
            #expect(try await test.pool.first(none, [], number).value == nil)
            #expect(try await test.pool.all(three, [], most: 3, number).value == [1, 2, 3])
            #expect(try await test.pool.all(none, [], most: 3, number).value == [])
            await #expect(throws: DatabaseError.unexpectedResult("none returned no row")) {
                try await test.pool.one(none, [], number).value
            }
        }
    }
}
