import Postgres
import Synchronization

/// Brings a schema up to date, step by step. Every step runs once, in order, on whichever instance starts first.
final class Migrations: Sendable {
    /// Longest wait for another instance that migrates.
    private static let lockTimeout = "30s"
    /// Longest wait of a step for a table's lock: every later client of that table, readers included, waits behind it.
    private static let tableLockTimeout = "1s"
    /// Longest run of one step: building an index over a large table takes time.
    private static let stepLimit = Duration.seconds(3600)
    private static let lockLimit = Duration.seconds(35)

    /// The outcome of the last attempt; nil when none has ended, or its effect may be gone. Locked during migration.
    private let last = Mutex<Result<Void, DatabaseError>?>(nil)
    /// Number of attempts that have ended.
    private let endedCount = Atomic<Int>(0)

    private let steps: [Migration]
    private let kept: KeptSchema
    /// The table of applied steps.
    private let record: String
    private let lockTimeout: String
    private let tableLockTimeout: String
    private let lockKey: Int

    /// The migrations of a service.
    convenience init(_ service: Service) {
        self.init(service.migrations, of: service.name, keeping: service.keptSchema)
    }

    /// - Parameters:
    ///   - service: its name.
    ///   - lockTimeout: replaces `Self.lockTimeout`.
    ///   - tableLockTimeout: replaces `Self.tableLockTimeout`.
    ///   - lockKey: replaces the service's lock, which processes of other schemas wait for too.
    init(
        _ steps: [Migration], of service: String, keeping kept: KeptSchema = KeptSchema(),
        lockTimeout: String = Migrations.lockTimeout, tableLockTimeout: String = Migrations.tableLockTimeout,
        lockKey: Int? = nil
    ) {
        precondition(Set(steps.map(\.name)).count == steps.count, "two migrations have the same name")
        self.steps = steps
        self.kept = kept
        record = "\(service)_migrations"
        self.tableLockTimeout = tableLockTimeout
        self.lockTimeout = lockTimeout
        self.lockKey = lockKey ?? Self.lockKey(of: service)
    }

    /// Any number that every instance of the service and no other program uses: the name in ASCII, of a long name its
    /// last eight bytes.
    static func lockKey(of service: String) -> Int {
        service.utf8.reduce(0) { $0 << 8 | Int($1) }
    }

    /// Applies pending steps, once per process; blocks. Several processes may call it at once. A caller that comes
    /// while another connection of this process migrates gets the same outcome, so the process waits for other
    /// processes once.
    ///
    /// - Parameter anew: whether to check again although all steps were applied before.
    /// - Returns: the names of the steps that were applied now.
    @discardableResult
    func apply(to session: Session, anew: Bool = false) throws(DatabaseError) -> [String] {
        let endedBefore = endedCount.load(ordering: .acquiring)
        let result = last.withLock { last -> Result<[String], DatabaseError> in
            if let last, endedCount.load(ordering: .acquiring) != endedBefore { return last.map { [] } }
            if case .success = last, !anew { return .success([]) }
            defer { endedCount.wrappingAdd(1, ordering: .releasing) }
            do throws(DatabaseError) {
                let applied = try run(on: session)
                last = .success(())
                return .success(applied)
            } catch {
                last = .failure(error)
                return .failure(error)
            }
        }
        return try result.get()
    }

    /// The applied steps may be gone: the next `apply` checks again.
    func forget() {
        last.withLock { $0 = nil }
    }

    private func run(on session: Session) throws(DatabaseError) -> [String] {
        if steps.isEmpty { return [] }
        if try isCurrent(session) { return [] }
        do throws(DatabaseError) {
            // `CREATE TABLE IF NOT EXISTS` is not safe against two sessions at once, and a lock of the transaction
            // needs no unlocking.
            try session.execute(
                """
                BEGIN;
                SET LOCAL lock_timeout = '\(lockTimeout)';
                SET LOCAL statement_timeout = 0;
                SET LOCAL client_min_messages = warning;
                SELECT pg_advisory_xact_lock(\(lockKey));
                SET LOCAL lock_timeout = '\(tableLockTimeout)';
                """, within: Self.lockLimit)
            try createRecord(session)
            let pending = steps.enumerated().dropFirst(try version(session))
            for (index, step) in pending {
                try session.execute(step.sql, within: Self.stepLimit)
                try session.execute("INSERT INTO \(record) (version, name) VALUES (\(index + 1), '\(step.name)')")
            }
            try run(kept.completion, on: session)
            try session.execute("COMMIT")
            return pending.map(\.element.name)
        } catch {
            // The first error says more than a rollback's.
            _ = try? session.execute("ROLLBACK")
            throw error
        }
    }

    /// Creates the record of the steps. It has no secret, and every role that serves reads it.
    private func createRecord(_ session: Session) throws(DatabaseError) {
        guard try !hasRecord(session) else { return }
        try session.execute(
            """
            CREATE TABLE \(record) (
                version int PRIMARY KEY, name text NOT NULL, applied_at timestamptz NOT NULL DEFAULT now()
            );
            GRANT SELECT ON \(record) TO PUBLIC;
            """)
        try run(kept.adoption, on: session)
    }

    private func run(_ changes: KeptSchema.Changes, on session: Session) throws(DatabaseError) {
        for change in try changes(session) { try session.execute(change, within: Self.stepLimit) }
    }

    private func isCurrent(_ session: Session) throws(DatabaseError) -> Bool {
        guard try hasRecord(session) else { return false }
        return try version(session) >= steps.count
    }

    private func hasRecord(_ session: Session) throws(DatabaseError) -> Bool {
        // A statement that locks no table may not see one that another transaction has created while this one waited.
        let tables = "SELECT EXISTS (SELECT FROM pg_class WHERE oid = to_regclass('\(record)'))"
        return try session.execute(tables).first?.first == "t"
    }

    /// The number of steps in the record.
    ///
    /// - Throws: also when a recorded step differs from this build's step at that position, because a step inserted
    ///   before a released one would never run.
    private func version(_ session: Session) throws(DatabaseError) -> Int {
        let rows = try session.execute("SELECT version, name FROM \(record) ORDER BY version")
        var last = 0
        for row in rows {
            guard row.count == 2, let version = row[0].flatMap({ Int($0) }), let name = row[1] else {
                throw .unexpectedResult("\(record) has a row that is not a migration step")
            }
            if steps.indices.contains(version - 1), steps[version - 1].name != name {
                throw .unexpectedResult(
                    "step \(version) is \(name) in \(record), and \(steps[version - 1].name) in this build")
            }
            last = version
        }
        return last
    }
}
