import Logging
import Postgres
import Synchronization
import Testing

@testable import Chassis
@testable import TestSupport

struct LaterChangesRetryTests {
    @Test func `ends when nothing is left, and when the process ends`() {
        for outcome in [LaterChangesRetry.Outcome.done, .closing] {
            var retry = LaterChangesRetry()
            #expect(retry.next(after: outcome) == .end)
        }
    }

    @Test(arguments: [LaterChangesRetry.Outcome.busy, .failed])
    func `doubles the pauses up to ten minutes, and gives up after about an hour`(outcome: LaterChangesRetry.Outcome) {
        var retry = LaterChangesRetry()
        var pauses: [Duration] = []
        while case .retry(let pause) = retry.next(after: outcome) { pauses.append(pause) }
        #expect(pauses == [5, 10, 20, 40, 80, 160, 320, 600, 600, 600, 600].map { .seconds($0) })
        var other = LaterChangesRetry()
        for _ in pauses { _ = other.next(after: outcome) }
        #expect(other.next(after: outcome) == .giveUp)
    }

    @Test func `gives up at once what would fail again`() {
        var retry = LaterChangesRetry()
        #expect(retry.next(after: .refused) == .giveUp)
    }
}

@Suite(.needsServer, .timeLimit(.minutes(1)))
struct LaterChangesTests {
    private let schema: EmptySchema
    private let session: Session
    /// A lock of its own for each test: they run at the same time.
    private static let lockCount = Atomic<Int>(0)
    private let lockKey = 7_000_000 + lockCount.wrappingAdd(1, ordering: .relaxed).newValue

    init() throws {
        schema = try EmptySchema()
        session = try schema.session()
    }

    private func changes(_ list: [KeptSchema.LaterChange]) -> LaterChanges {
        LaterChanges(KeptSchema(later: { (_) throws(DatabaseError) in list }), lockKey: lockKey)
    }

    private let silent = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }

    @Test func `each statement runs, and what a failed one leaves is removed`() throws {
        try session.execute("CREATE TABLE made (what text)")
        var notes: [String] = []
        let outcome = try changes([
            .init("INSERT INTO made VALUES ('first')", cleanup: "INSERT INTO made VALUES ('never')"),
            .init("SELECT 1 / 0", cleanup: "INSERT INTO made VALUES ('removal')"),
            .init("INSERT INTO made VALUES ('last')"),
        ]).apply(to: session) { sql, error in notes.append("\(sql.prefix(8)) \(error == nil)") }
        #expect(outcome == .failed)
        #expect(try session.execute("SELECT what FROM made") == [["first"], ["removal"], ["last"]])
        #expect(notes == ["INSERT I true", "SELECT 1 false", "INSERT I true"])
    }

    @Test func `what somebody else has made under the same name is not removed`() throws {
        try session.execute("CREATE TABLE made (what text)")
        let taken = changes([.init("CREATE TABLE made (what text)", cleanup: "DROP TABLE made")])
        #expect(try taken.apply(to: session) { _, _ in } == .refused)
        #expect(try session.execute("SELECT count(*) FROM made") == [["0"]])
    }

    @Test func `a failure that would come again is told from others`() throws {
        let refused = changes([.init("SELECT 1 FROM no_such_table")])
        #expect(try refused.apply(to: session) { _, _ in } == .refused)
        let both = changes([.init("SELECT 1 / 0"), .init("SELECT 1 FROM no_such_table")])
        #expect(try both.apply(to: session) { _, _ in } == .failed)
    }

    @Test func `another process that makes them is waited for`() throws {
        let other = try schema.session()
        try other.execute("SELECT pg_advisory_lock(\(lockKey))")
        let changes = changes([.init("CREATE TABLE made ()")])
        #expect(try changes.apply(to: session) { _, _ in } == .busy)
        try other.execute("SELECT pg_advisory_unlock(\(lockKey))")
        #expect(try changes.apply(to: session) { _, _ in } == .done)
    }

    @Test func `a lost connection is no end: the next attempt has another one`() throws {
        try session.execute("CREATE TABLE made (what text)")
        let changes = changes([
            .init(
                """
                DO $$ BEGIN
                    IF (SELECT count(*) FROM made) = 0 THEN PERFORM pg_terminate_backend(pg_backend_pid()); END IF;
                END $$
                """), .init("INSERT INTO made VALUES ('last')"),
        ])
        var pauses: [Duration] = []
        changes.run(
            logger: silent, connect: { () throws(DatabaseError) in try schema.session() },
            pause: { pause in
                pauses.append(pause)
                _ = try? session.execute("INSERT INTO made VALUES ('meanwhile')")
            })
        #expect(pauses == [LaterChangesRetry.firstPause])
        #expect(try session.execute("SELECT what FROM made") == [["meanwhile"], ["last"]])
    }

    @Test func `without a connection it is tried again, until the process ends`() {
        var errors: [DatabaseError] = [.closing, .connectFailed("away"), .unavailable]
        var pauseCount = 0
        changes([]).run(
            logger: silent, connect: { () throws(DatabaseError) in throw errors.removeLast() },
            pause: { _ in pauseCount += 1 })
        #expect(errors.isEmpty && pauseCount == 2)
    }
}
