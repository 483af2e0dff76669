import Glibc
import Platform
import Postgres
import Reactor
import Synchronization
import Testing

/// The PostgreSQL server named by the environment.
enum Server {
    private static func variable(_ name: String) -> String? {
        // The text belongs to the environment, which does not change, and is copied at once.
        unsafe getenv(name).map { unsafe String(cString: $0) }
    }

    static let isThere = variable("ITEMS_TEST_DB_HOST") != nil

    static var options: ConnectionOptions {
        ConnectionOptions(
            host: variable("ITEMS_TEST_DB_HOST") ?? "", database: variable("ITEMS_TEST_DB_NAME") ?? "items",
            user: variable("ITEMS_TEST_DB_USER") ?? "items")
    }

    private static let count = Atomic<Int>(0)

    /// A name that is unique across tests and runs, for tables and applications.
    static func uniqueName() -> String {
        "test_\(getpid())_\(count.wrappingAdd(1, ordering: .relaxed).newValue)"
    }

    /// Runs blocking code on a separate thread, so that it does not delay other tests.
    private static func aside<Value: Sendable>(_ body: @escaping @Sendable () throws -> Value) async throws -> Value {
        let loop = try EventLoop(index: 0)
        try loop.start()
        defer { loop.stop() }
        return try await Task(executorPreference: loop) { try body() }.value
    }

    /// Runs SQL on a separate connection.
    @discardableResult
    static func execute(_ sql: String) async throws -> [[String?]] {
        try await aside { try Session(options).execute(sql) }
    }

    /// The first value of SQL run on a separate connection.
    static func value(_ sql: String) async throws -> String? {
        try await execute(sql).first?.first ?? nil
    }

    /// Repeats a query until its value is the expected one, for at most 10 s.
    static func wait(for sql: String, toBe expected: String) async throws -> Bool {
        try await aside { try block(until: sql, is: expected) }
    }

    /// As `wait`, on the calling thread.
    static func block(until sql: String, is expected: String) throws -> Bool {
        let session = try Session(options)
        let limit = Instant.now + .milliseconds(10_000)
        while Instant.now < limit {
            if try session.execute(sql).first?.first == expected { return true }
        }
        return false
    }
}

extension Trait where Self == ConditionTrait {
    /// Skips the test if there is no PostgreSQL server.
    static var needsServer: Self { .enabled(if: Server.isThere, "ITEMS_TEST_DB_HOST names no server") }
}

let milliseconds: UInt64 = 1_000_000

/// The events of a pool, and tasks that wait for further ones.
final class EventLog: Sendable {
    private struct Waiter {
        let isMet: @Sendable ([PoolEvent]) -> Bool
        let continuation: CheckedContinuation<Void, Never>
    }

    private struct Contents {
        var events: [PoolEvent] = []
        var waiters: [Waiter] = []
    }

    private let contents = Mutex(Contents())

    func note(_ event: PoolEvent) {
        let met = contents.withLock { contents in
            contents.events.append(event)
            let events = contents.events
            let met = contents.waiters.filter { $0.isMet(events) }
            contents.waiters.removeAll { $0.isMet(events) }
            return met.map(\.continuation)
        }
        for continuation in met { continuation.resume() }
    }

    var events: [PoolEvent] { contents.withLock { $0.events } }

    func count(_ predicate: (PoolEvent) -> Bool) -> Int { events.count(where: predicate) }

    func has(_ predicate: (PoolEvent) -> Bool) -> Bool { events.contains(where: predicate) }

    /// Returns once `count` of the events so far satisfy `predicate`.
    func wait(for count: Int = 1, _ predicate: @escaping @Sendable (PoolEvent) -> Bool) async {
        let isMet = { @Sendable (events: [PoolEvent]) in events.count(where: predicate) >= count }
        await withCheckedContinuation { continuation in
            let isMetAlready = contents.withLock { contents in
                if isMet(contents.events) { return true }
                contents.waiters.append(Waiter(isMet: isMet, continuation: continuation))
                return false
            }
            if isMetAlready { continuation.resume() }
        }
    }
}

/// Blocks waiting tasks until it is opened, once and for all.
final class Gate: Sendable {
    private struct State {
        var isOpen = false
        var waiters: [CheckedContinuation<Void, Never>] = []
    }

    private let state = Mutex(State())

    func wait() async {
        await withCheckedContinuation { continuation in
            let isOpen = state.withLock { state in
                if !state.isOpen { state.waiters.append(continuation) }
                return state.isOpen
            }
            if isOpen { continuation.resume() }
        }
    }

    var isOpen: Bool { state.withLock(\.isOpen) }

    func open() {
        let waiters = state.withLock { state in
            state.isOpen = true
            defer { state.waiters = [] }
            return state.waiters
        }
        for waiter in waiters { waiter.resume() }
    }
}

extension PoolEvent {
    var isSent: Bool { if case .waited = self { true } else { false } }
    var isOpened: Bool { if case .opened = self { true } else { false } }
    var isLost: Bool { if case .lost = self { true } else { false } }
    var isReconnected: Bool { if case .reconnected = self { true } else { false } }
    var isUp: Bool { if case .up = self { true } else { false } }
    var isDown: Bool { if case .down = self { true } else { false } }
    var openError: DatabaseError? { if case .openFailed(let error) = self { error } else { nil } }
}

/// A pool on its own loop, with its events.
struct TestPool: Sendable {
    let loop: EventLoop
    let pool: Pool
    let log: EventLog
    /// The application name of its connections.
    let name: String

    /// Counts its connections as the server sees them.
    var connectionsQuery: String { "SELECT count(*) FROM pg_stat_activity WHERE application_name = '\(name)'" }

    /// Runs `body` on the loop: everything it submits before it suspends is in one iteration.
    func onLoop<Value: Sendable>(_ body: @escaping @Sendable () async throws -> Value) async throws -> Value {
        try await Task(executorPreference: loop) { try await body() }.value
    }

    /// Submits all of them in one loop iteration; the outcomes are in the order of the statements.
    ///
    /// - Parameter limits: time limit of the task, by the statement's index.
    func queryTogether(
        _ queries: [(Statement, [Parameter])], limits: [Int: UInt64] = [:]
    ) async throws -> [Result<Rows, DatabaseError>] {
        try await onLoop {
            await withTaskGroup(of: (Int, Result<Rows, DatabaseError>).self) { group in
                let start = Instant.now
                for (index, (statement, parameters)) in queries.enumerated() {
                    let deadline = limits[index].map { TaskDeadline(expiry: start.advanced(byNanoseconds: $0)) }
                    group.addTask {
                        await TaskDeadline.$current.withValue(deadline) {
                            do throws(DatabaseError) {
                                return (index, .success(try await pool.query(statement, parameters)))
                            } catch {
                                return (index, .failure(error))
                            }
                        }
                    }
                }
                var outcomes: [(Int, Result<Rows, DatabaseError>)] = []
                for await outcome in group { outcomes.append(outcome) }
                return outcomes.sorted { $0.0 < $1.0 }.map(\.1)
            }
        }
    }

    /// The error of a statement that must fail, and the time it took, measured on the loop because other threads are
    /// busy.
    func failure(
        of statement: Statement, _ parameters: [Parameter] = [], within limit: UInt64? = nil
    ) async throws -> (error: DatabaseError?, elapsed: UInt64) {
        try await onLoop {
            let start = Instant.now
            let deadline = limit.map { TaskDeadline(expiry: start.advanced(byNanoseconds: $0)) }
            let error = await TaskDeadline.$current.withValue(deadline) {
                await PostgresTests.failure { () throws(DatabaseError) in try await pool.query(statement, parameters) }
            }
            return (error, Instant.now.nanoseconds(since: start))
        }
    }

    /// The process id of the server's end of the pool's only connection.
    func backend() async throws -> Int64 {
        try await pool.query(Statement("pid", "SELECT pg_backend_pid()::int8"))[0].int64(0)
    }
}

struct PoolBounds {
    var minimum = 1
    var maximum = 4
    var wait = 3000
    var statement = 5000
    var memory = MemoryBudget.unlimited
}

/// The same options for every attempt.
func always(_ options: ConnectionOptions) -> @Sendable () throws(DatabaseError) -> ConnectionOptions {
    { () throws(DatabaseError) in options }
}

/// Runs `body` with an open pool, and closes it.
func withPool<Value>(
    _ bounds: PoolBounds = PoolBounds(), statements: [Statement] = [], preparing sql: String = "",
    options: @escaping @Sendable () throws(DatabaseError) -> ConnectionOptions = always(Server.options),
    _ body: (TestPool) async throws -> Value
) async throws -> Value {
    let loop = try EventLoop(index: 0)
    try loop.start()
    defer { loop.stop() }
    let log = EventLog()
    let name = Server.uniqueName()
    let connector = Connector(options: options, statements: statements) { (session) throws(DatabaseError) in
        try session.execute("SET application_name = '\(name)'; \(sql)")
    }
    let pool = Pool(
        on: loop, minimum: bounds.minimum, maximum: bounds.maximum, waitLimit: .milliseconds(bounds.wait),
        statementLimit: .milliseconds(bounds.statement), memory: bounds.memory, connector: connector, observe: log.note)
    await pool.open()
    do {
        let value = try await body(TestPool(loop: loop, pool: pool, log: log, name: name))
        await pool.close(within: .milliseconds(2000))
        return value
    } catch {
        await pool.close(within: .milliseconds(0))
        throw error
    }
}

/// Runs `body` with a table that has a unique number and a label.
func withTable<Value>(_ body: (String) async throws -> Value) async throws -> Value {
    let table = Server.uniqueName()
    try await Server.execute("CREATE TABLE \(table) (number int8 UNIQUE, label text)")
    let value = try await body(table)
    try await Server.execute("DROP TABLE \(table)")
    return value
}

/// The error of an operation that must fail.
func failure<Value>(_ body: () async throws(DatabaseError) -> Value) async -> DatabaseError? {
    do throws(DatabaseError) {
        _ = try await body()
        return nil
    } catch {
        return error
    }
}

extension Result where Failure == DatabaseError {
    var error: DatabaseError? { if case .failure(let error) = self { error } else { nil } }
}

extension DatabaseError {
    var sqlState: String? { if case .server(let error) = self { error.sqlState } else { nil } }
}

/// A seeded random number generator (SplitMix64).
struct SeededGenerator: RandomNumberGenerator {
    var state: UInt64

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var mixed = state
        mixed = (mixed ^ (mixed >> 30)) &* 0xBF58_476D_1CE4_E5B9
        mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
        return mixed ^ (mixed >> 31)
    }
}

/// Counts attempts.
final class Attempts: Sendable {
    private let count = Atomic<Int>(0)

    func next() -> Int { count.wrappingAdd(1, ordering: .relaxed).newValue }
}
