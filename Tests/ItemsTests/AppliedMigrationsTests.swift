import Glibc
import Postgres
import Reactor
import Synchronization
import Testing

@testable import Items

@Suite(.needsServer, .timeLimit(.minutes(1)))
struct AppliedMigrationsTests {
    /// What ten threads do at once, and what each of them got.
    private final class Crowd: Sendable {
        private let work: @Sendable () throws -> [String]
        private let results = Mutex<[Result<[String], any Error>]>([])

        init(_ work: @escaping @Sendable () throws -> [String]) {
            self.work = work
        }

        func run() throws -> [[String]] {
            let threads = (0..<10).map { _ in
                var thread = pthread_t()
                // The thread takes over the reference.
                let pointer = unsafe Unmanaged.passRetained(self).toOpaque()
                let error = unsafe pthread_create(
                    &thread, nil,
                    { pointer in
                        // pthread_create passes on the pointer it was given.
                        let crowd = unsafe Unmanaged<Crowd>.fromOpaque(pointer!).takeRetainedValue()
                        let result = Result { try crowd.work() }
                        crowd.results.withLock { $0.append(result) }
                        return nil
                    }, pointer)
                precondition(error == 0, "pthread_create: errno \(error)")
                return thread
            }
            // Each thread is joined once.
            for thread in threads { pthread_join(thread, nil) }
            return try results.withLock { try $0.map { try $0.get() } }
        }
    }

    private let names = Migrations.steps.map(\.name)

    @Test func `brings an empty schema up to date, once`() throws {
        let schema = try Schema()
        let session = try schema.session()
        #expect(try Migrations().apply(to: session) == names)
        #expect(try Migrations().apply(to: session) == [])
        #expect(
            try session.execute("SELECT version, name FROM items_migrations ORDER BY version")
                == names.enumerated().map { ["\($0 + 1)", $1] })
        #expect(
            try session.execute("INSERT INTO items (name) VALUES ('a') RETURNING id, name, description") == [
                ["1", "a", nil]
            ])
        #expect(throws: DatabaseError.self) { try session.execute("INSERT INTO items (name) VALUES ('')") }
    }

    @Test func `its steps wait for a lock as long as they may, and have no other limit`() throws {
        let schema = try Schema()
        let session = try schema.session()
        // A record without a step, in which every new step leaves a note.
        try session.execute(
            """
            CREATE TABLE items_migrations (
                version int PRIMARY KEY, name text NOT NULL, applied_at timestamptz NOT NULL DEFAULT now()
            );
            CREATE TABLE notes (lock text, statement text);
            CREATE FUNCTION note() RETURNS trigger LANGUAGE plpgsql AS $$
                BEGIN
                    INSERT INTO notes VALUES (current_setting('lock_timeout'), current_setting('statement_timeout'));
                    RETURN NEW;
                END
            $$;
            CREATE TRIGGER note BEFORE INSERT ON items_migrations FOR EACH ROW EXECUTE FUNCTION note();
            SET statement_timeout = '20s';
            """)
        #expect(try Migrations(lockTimeout: "7s", tableLockTimeout: "3s").apply(to: session) == names)
        #expect(try session.execute("SELECT DISTINCT lock, statement FROM notes") == [["3s", "0"]])
        #expect(try session.execute("SHOW statement_timeout") == [["20s"]])
    }

    @Test(arguments: [0, 1])
    func `waits for nobody where every step is applied, also beside a newer version's`(newer: Int) throws {
        let schema = try Schema()
        let session = try schema.session()
        let key = Migrations.lockKey + 3 + newer
        #expect(try Migrations(lockTimeout: "30s", lockKey: key).apply(to: session) == names)
        for step in names.count..<names.count + newer {
            try session.execute("INSERT INTO items_migrations (version, name) VALUES (\(step + 1), 'newer')")
        }
        let other = try schema.session()
        try other.execute("SELECT pg_advisory_lock(\(key))")
        #expect(try Migrations(lockTimeout: "100ms", lockKey: key).apply(to: session) == [])
    }

    @Test func `ten processes that start at once apply each step once`() throws {
        for _ in 0..<3 {
            let schema = try Schema()
            let applied = try Crowd { try Migrations().apply(to: schema.session()) }.run()
            #expect(applied.count == 10)
            #expect(applied.flatMap(\.self) == names)
            #expect(try schema.session().execute("SELECT count(*) FROM items_migrations") == [["\(names.count)"]])
        }
    }

    @Test func `ten connections of one process apply each step once`() throws {
        let schema = try Schema()
        let migrations = Migrations()
        let applied = try Crowd { try migrations.apply(to: schema.session()) }.run()
        #expect(applied.count == 10)
        #expect(applied.flatMap(\.self) == names)
    }

    @Test func `looks no more once all is applied, until it is told to or to forget`() throws {
        let schema = try Schema()
        let session = try schema.session()
        let migrations = Migrations()
        #expect(try migrations.apply(to: session) == names)
        let drop = "DROP TABLE items, idempotency_keys, items_migrations, schema_migrations"
        try session.execute(drop)
        #expect(try migrations.apply(to: session) == [])
        #expect(try migrations.apply(to: session, anew: true) == names)
        try session.execute(drop)
        migrations.forget()
        #expect(try migrations.apply(to: session) == names)
    }

    @Test func `keeps the items of the service before it, and completes their table`() throws {
        let schema = try Schema()
        let session = try schema.session()
        try session.execute(
            """
            CREATE TABLE items (id serial PRIMARY KEY, name varchar(255) NOT NULL, description text);
            INSERT INTO items (name) VALUES ('kept')
            """)
        #expect(try Migrations().apply(to: session) == names)
        #expect(
            try session.execute("SELECT name, created_at IS NOT NULL, updated_at IS NOT NULL FROM items") == [
                ["kept", "t", "t"]
            ])
    }

    @Test func `a step that fails leaves nothing behind, and the next attempt succeeds`() throws {
        let schema = try Schema()
        let session = try schema.session()
        // A view of that name cannot be completed.
        try session.execute("CREATE VIEW items AS SELECT 1 AS id")
        let migrations = Migrations()
        #expect(throws: DatabaseError.self) { try migrations.apply(to: session) }
        #expect(try session.execute("SELECT to_regclass('items_migrations')") == [[nil]])
        try session.execute("DROP VIEW items")
        #expect(try migrations.apply(to: session) == names)
    }

    /// What a version before this one does at its start.
    private static let formerVersion = """
        SELECT pg_advisory_xact_lock(1);
        CREATE TABLE IF NOT EXISTS schema_migrations (
            version int PRIMARY KEY, name text NOT NULL, applied_at timestamptz NOT NULL DEFAULT now()
        );
        """

    @Test func `goes on where a former version ended, which finds its record as it was`() throws {
        let schema = try Schema()
        let session = try schema.session()
        try session.execute(Self.formerVersion)
        for (index, step) in Migrations.steps.prefix(FormerRecord.stepCount).enumerated() {
            try session.execute(step.sql)
            try session.execute("INSERT INTO schema_migrations VALUES (\(index + 1), '\(step.name)', 'epoch')")
        }
        #expect(try Migrations().apply(to: session) == Array(names.dropFirst(FormerRecord.stepCount)))
        #expect(
            try session.execute("SELECT version, name FROM items_migrations ORDER BY version")
                == names.enumerated().map { ["\($0 + 1)", $1] })
        #expect(try session.execute("SELECT count(*) FROM items_migrations WHERE applied_at = 'epoch'") == [["2"]])
        #expect(try session.execute("SELECT max(version) FROM schema_migrations") == [["2"]])
        #expect(try Migrations().apply(to: session) == [])
    }

    @Test func `a former version that starts later finds its steps applied`() throws {
        let schema = try Schema()
        let session = try schema.session()
        try Migrations().apply(to: session)
        try session.execute(Self.formerVersion)
        #expect(
            try session.execute("SELECT version, name FROM schema_migrations ORDER BY version")
                == names.prefix(FormerRecord.stepCount).enumerated().map { ["\($0 + 1)", $1] })
    }

    @Test(arguments: [
        "CREATE TABLE schema_migrations (version bigint PRIMARY KEY, dirty boolean NOT NULL);"
            + "INSERT INTO schema_migrations VALUES (20240101120000, false)",
        "CREATE TABLE schema_migrations (version varchar PRIMARY KEY);"
            + "INSERT INTO schema_migrations VALUES ('20240101120000')",
        formerVersion + "INSERT INTO schema_migrations VALUES (1, 'theirs'), (2, 'idempotency_keys')",
        formerVersion + "INSERT INTO schema_migrations VALUES (7, 'items')",
    ])
    func `leaves the record of another program as it is`(record: String) throws {
        let schema = try Schema()
        let session = try schema.session()
        try session.execute(record)
        let rows = try session.execute("SELECT * FROM schema_migrations ORDER BY version")
        #expect(try Migrations().apply(to: session) == names)
        #expect(try session.execute("SELECT * FROM schema_migrations ORDER BY version") == rows)
        #expect(try Migrations().apply(to: session) == [])
    }

    @Test func `the lock of another that migrates is waited for as long as is set, and no longer`() throws {
        let schema = try Schema()
        let key = Migrations.lockKey + 1
        let other = try schema.session()
        try other.execute("SELECT pg_advisory_lock(\(key))")
        let error = #expect(throws: DatabaseError.self) {
            try Migrations(lockTimeout: "100ms", lockKey: key).apply(to: schema.session())
        }
        guard case .server(let refusal) = error else {
            Issue.record("\(String(describing: error))")
            return
        }
        #expect(refusal.sqlState == "55P03")
        try other.execute("SELECT pg_advisory_unlock(\(key))")
        #expect(try Migrations(lockTimeout: "100ms", lockKey: key).apply(to: schema.session()) == names)
    }

    @Test func `the lock of another that migrates is waited for longer than a statement may take`() async throws {
        let schema = try Schema()
        let key = Migrations.lockKey + 5
        let (isHeld, held) = AsyncStream<Void>.makeStream()
        let isStarted = BlockingThread.start {
            let other = try? schema.session()
            _ = try? other?.execute("SELECT pg_advisory_lock(\(key))")
            held.finish()
            _ = try? other?.execute("SELECT pg_advisory_unlock(\(key)) FROM pg_sleep(3)")
        }
        precondition(isStarted, "no thread could be started")
        for await _ in isHeld {}
        let applied = try await BlockingThread.run {
            Result<[String], any Error> {
                var options = Schema.options
                options.statementTimeoutMilliseconds = 1000
                let session = try Session(options)
                try schema.use(in: session)
                return try Migrations(lockTimeout: "30s", lockKey: key).apply(to: session)
            }
        }?.get()
        #expect(applied == names)
    }

    @Test func `a table that somebody reads for long is given up soon, and taken by the next attempt`() throws {
        let schema = try Schema()
        let (session, reader) = (try schema.session(), try schema.session())
        try session.execute("CREATE TABLE items (id bigserial PRIMARY KEY, name text NOT NULL)")
        try reader.execute("BEGIN; LOCK TABLE items IN ACCESS SHARE MODE")
        let migrations = Migrations(lockTimeout: "30s", tableLockTimeout: "50ms")
        let start = EventLoop.monotonicNanoseconds()
        let error = #expect(throws: DatabaseError.self) { try migrations.apply(to: session) }
        #expect(EventLoop.monotonicNanoseconds() - start < 15_000_000_000)
        guard case .server(let refusal) = error else {
            Issue.record("\(String(describing: error))")
            return
        }
        #expect(refusal.sqlState == "55P03")
        try reader.execute("COMMIT")
        #expect(try migrations.apply(to: session) == names)
    }

    @Test(arguments: [false, true])
    func `of one process one connection waits for another process, and the others share its outcome`(anew: Bool)
        async throws
    {
        let schema = try Schema()
        let key = Migrations.lockKey + (anew ? 3 : 2)
        // On a thread of its own: the wait would hold up tests that share the threads of tasks.
        let waits = try await BlockingThread.run {
            Result<Int, any Error> {
                let other = try schema.session()
                try other.execute("SELECT pg_advisory_lock(\(key))")
                let migrations = Migrations(lockTimeout: "30s", lockKey: key)
                let name = "waits_\(getpid())_\(anew)"
                let counts = Mutex((calls: 0, failures: 0))
                let crowd = Crowd {
                    let session = try schema.session()
                    try session.execute("SET application_name = '\(name)'")
                    counts.withLock { $0.calls += 1 }
                    do { return try migrations.apply(to: session, anew: anew) } catch {
                        counts.withLock { $0.failures += 1 }
                        return []
                    }
                }
                let isStarted = BlockingThread.start { _ = try? crowd.run() }
                precondition(isStarted, "no thread could be started")
                let observer = try schema.session()
                while counts.withLock({ $0.calls }) < 10 { try observer.execute("SELECT pg_sleep(0.001)") }
                let endWait = """
                    SELECT pid, pg_terminate_backend(pid) FROM pg_stat_activity
                    WHERE application_name = '\(name)' AND wait_event = 'advisory'
                    """
                // By their numbers: one that is told to end may be there at the next look, too.
                var waits: Set<String?> = []
                while counts.withLock({ $0.failures }) < 10 {
                    waits.formUnion(try observer.execute(endWait).map { $0[0] })
                }
                try other.execute("SELECT pg_advisory_unlock(\(key))")
                return waits.count
            }
        }?.get()
        // Of ten that do not share there are ten. A second one is of a thread that was paused just before its call.
        #expect(try (1...2).contains(#require(waits)))
    }
}
