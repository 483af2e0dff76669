import Glibc
import Logging
import Platform
import Postgres
import Synchronization

/// The changes of `KeptSchema.later`, made by one process at a time.
final class LaterChanges: Sendable {
    /// Longest run of one statement: an index over a large table takes time.
    private static let statementLimit = Duration.seconds(3600)

    private let changes: @Sendable (Session) throws(DatabaseError) -> [KeptSchema.LaterChange]
    private let lockKey: Int
    private let isBegun = Atomic<Bool>(false)

    convenience init(_ service: Service) {
        // Another lock than the migrations', whose waiters hold a snapshot: CREATE INDEX CONCURRENTLY waits for those.
        self.init(service.keptSchema, lockKey: ~Migrations.lockKey(of: service.name))
    }

    init(_ schema: KeptSchema, lockKey: Int) {
        changes = schema.later
        self.lockKey = lockKey
    }

    /// Makes the changes, unless another process does, or a pooler shares its sessions; blocks. What a change that failed
    /// has left is removed.
    ///
    /// - Parameter note: called after each statement with its error, if it failed.
    /// - Throws: when the connection is lost. The next attempt removes what is left then.
    @discardableResult
    func apply(
        to session: Session, note: (String, DatabaseError?) -> Void
    ) throws(DatabaseError) -> LaterChangesRetry.Outcome {
        guard try session.set([("statement_timeout", "0"), ("lock_timeout", "0")]) else { return .done }
        guard try session.execute("SELECT pg_try_advisory_lock(\(lockKey))").first?.first == "t" else { return .busy }
        var outcome = LaterChangesRetry.Outcome.done
        for change in try changes(session) {
            do throws(DatabaseError) {
                try session.execute(change.sql, within: Self.statementLimit)
                note(change.sql, nil)
            } catch {
                guard case .server(let report) = error else { throw error }
                note(change.sql, error)
                if outcome != .failed { outcome = error.errorClass == .statement ? .refused : .failed }
                // duplicate_table: what has the name was not made by this change, which has left nothing.
                if report.sqlState != "42P07" { try removeRest(of: change, on: session, note) }
            }
        }
        try session.execute("SELECT pg_advisory_unlock(\(lockKey))")
        return outcome
    }

    private func removeRest(
        of change: KeptSchema.LaterChange, on session: Session, _ note: (String, DatabaseError?) -> Void
    ) throws(DatabaseError) {
        guard let cleanup = change.cleanup else { return }
        do throws(DatabaseError) { try session.execute(cleanup, within: Self.statementLimit) } catch {
            guard case .server = error else { throw error }
            note(cleanup, error)
        }
    }

    /// Begins to make them on a thread and a connection of their own, once per process.
    ///
    /// - Parameters:
    ///   - session: shows whether there is something to do.
    ///   - connect: opens a connection, whose settings change; may block.
    func begin(
        seenFrom session: Session, logger: Logger,
        connect: @escaping @Sendable () throws(DatabaseError) -> Session
    ) {
        if isBegun.exchange(true, ordering: .relaxed) { return }
        if let pending = try? changes(session), pending.isEmpty { return }
        do throws(Thread.NoThread) {
            try Thread.start { self.run(logger: logger, connect: connect) { _ = sleep(UInt32($0.components.seconds)) } }
        } catch {
            logger.warning("Later changes of the schema given up", metadata: ["error": "no thread could be started"])
        }
    }

    /// Makes attempts until nothing is left to do, or until `LaterChangesRetry` gives up; blocks.
    ///
    /// - Parameter pause: waits between two attempts.
    func run(
        logger: Logger, connect: () throws(DatabaseError) -> Session, pause: (Duration) -> Void
    ) {
        var retry = LaterChangesRetry()
        while true {
            switch retry.next(after: attempt(logger, connect)) {
            case .end: return
            case .retry(let duration): pause(duration)
            case .giveUp:
                logger.warning(
                    "Later changes of the schema given up", metadata: ["error": "the next start tries again"])
                return
            }
        }
    }

    private func attempt(
        _ logger: Logger, _ connect: () throws(DatabaseError) -> Session
    ) -> LaterChangesRetry.Outcome {
        do throws(DatabaseError) {
            return try apply(to: try connect()) { sql, error in
                guard let error else {
                    return logger.info("Later change of the schema made", metadata: ["sql": "\(sql)"])
                }
                logger.warning(
                    "Later change of the schema failed", metadata: ["sql": "\(sql)", "error": "\(error)"])
            }
        } catch {
            if error == .closing { return .closing }
            logger.warning("Later change of the schema failed", metadata: ["error": "\(error)"])
            return .failed
        }
    }
}
