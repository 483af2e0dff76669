import Glibc
import Platform
import Postgres
import Reactor
import Testing

@testable import Chassis
@testable import TestSupport

struct KeyExpiryPaceTests {
    private let pace = KeyExpiry.Pace()
    private let full = KeyExpiry.batchLimit

    @Test(arguments: [nil, 0, 1, KeyExpiry.batchLimit - 1])
    func `a partial batch is followed by the pause between searches`(count: Int?) {
        #expect(pace.pause(after: count, took: .milliseconds(5)) == .seconds(60))
    }

    @Test func `a full batch is followed by another after twice its duration, but at least 10 ms`() {
        #expect(pace.pause(after: full, took: .zero) == .milliseconds(10))
        #expect(pace.pause(after: full, took: .milliseconds(8)) == .milliseconds(16))
        #expect(pace.pause(after: full, took: .milliseconds(500)) == .seconds(1))
    }
}

@Suite(.needsServer, .timeLimit(.minutes(1)))
struct KeyExpiryTests {
    /// Runs `body` with a table of keys whose expired ones are removed repeatedly once `prepare` has ended.
    private func withExpiry(
        prepare: (_ first: Session, _ second: Session) throws -> Void,
        _ body: (_ first: Session, _ second: Session) throws -> Void
    ) async throws {
        let schema = try EmptySchema()
        let (first, second) = (try schema.session(), try schema.session())
        try first.execute(IdempotencyKey.migrations.map(\.sql).joined(separator: ";"))
        try prepare(first, second)
        let loop = try EventLoop(index: 0)
        try loop.start()
        defer { loop.stop() }
        let pool = Pool(
            on: loop, minimum: 1, maximum: 1, waitLimit: .milliseconds(3000), statementLimit: .milliseconds(5000),
            connector: Connector(
                options: { () throws(DatabaseError) in EmptySchema.options },
                prepare: { (session) throws(DatabaseError) in try schema.use(in: session) }), observe: { _ in })
        await pool.open()
        KeyExpiry.begin(on: loop, pool: pool, pace: .init(pauseBetweenLooks: .milliseconds(5)))
        try body(first, second)
        await pool.close(within: .milliseconds(1000))
    }

    private func keys(_ session: Session) throws -> [String?] {
        try session.execute("SELECT key FROM idempotency_keys ORDER BY key").map { $0[0] }
    }

    /// Polls until exactly these keys are left, for 20 s at most.
    private func wait(for expected: [String], on session: Session) throws -> Bool {
        let limit = Instant.now + .seconds(20)
        while Instant.now < limit {
            if try keys(session) == expected { return true }
        }
        return false
    }

    private func add(_ count: Int, _ name: String, age: String, on session: Session) throws {
        try session.execute(
            """
            INSERT INTO idempotency_keys
            SELECT '\(name)' || n, '', n, now() - interval '\(age)' FROM generate_series(1, \(count)) n
            """)
    }

    @Test func `removes every expired key, in many batches, and no other`() async throws {
        try await withExpiry { (session, _) throws in
            try add(1, "young ", age: "23 hours 59 minutes", on: session)
            try add(KeyExpiry.batchLimit * 20 + 1, "old ", age: "24 hours 1 minute", on: session)
        } _: { (session, _) throws in
            #expect(try wait(for: ["young 1"], on: session))
        }
    }

    @Test func `skips a locked key and searches again after the pause`() async throws {
        try await withExpiry { (session, other) throws in
            try add(3, "old ", age: "25 hours", on: session)
            try other.execute("BEGIN; SELECT FROM idempotency_keys WHERE key = 'old 1' FOR UPDATE")
        } _: { (session, other) throws in
            #expect(try wait(for: ["old 1"], on: session))
            try other.execute("COMMIT")
            #expect(try wait(for: [], on: session))
        }
    }

    @Test func `searches again after a failed batch`() async throws {
        try await withExpiry { (session, _) throws in
            try add(3, "old ", age: "25 hours", on: session)
            // A sequence is not reset when a transaction is rolled back.
            try session.execute(
                """
                CREATE SEQUENCE attempts;
                CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$
                    BEGIN
                        IF nextval('attempts') < 3 THEN RAISE EXCEPTION 'not yet'; END IF;
                        RETURN OLD;
                    END
                $$;
                CREATE TRIGGER refuse BEFORE DELETE ON idempotency_keys FOR EACH ROW EXECUTE FUNCTION refuse();
                """)
        } _: { (session, _) throws in
            #expect(try wait(for: [], on: session))
        }
    }
}
