import Platform
import Postgres
import Synchronization

/// The changes of `KeptSchema.later`, made by one process at a time.
final class LaterChanges: Sendable {
    /// Longest run of one statement: an index over a large table takes time.
    private static let statementLimit = Duration.seconds(3600)

    /// Why a statement failed.
    struct Failure: Equatable {
        let sql: String
        let error: DatabaseError
    }

    private let changes: KeptSchema.Changes
    private let lockKey: Int
    private let isBegun = Atomic<Bool>(false)

    init(_ service: Service) {
        changes = service.keptSchema.later
        // Another lock than the migrations', whose waiters hold a snapshot: CREATE INDEX CONCURRENTLY waits for those.
        lockKey = ~Migrations.lockKey(of: service.name)
    }

    /// Makes the changes, unless another process does, or a pooler shares its sessions; blocks. A statement that fails is
    /// not tried again.
    func apply(to session: Session) throws(DatabaseError) -> [Failure] {
        guard try session.set([("statement_timeout", "0"), ("lock_timeout", "0")]) else { return [] }
        guard try session.execute("SELECT pg_try_advisory_lock(\(lockKey))").first?.first == "t" else { return [] }
        var failures: [Failure] = []
        for sql in try changes(session) {
            do throws(DatabaseError) { try session.execute(sql, within: Self.statementLimit) } catch {
                guard case .server = error else { throw error }
                failures.append(Failure(sql: sql, error: error))
            }
        }
        try session.execute("SELECT pg_advisory_unlock(\(lockKey))")
        return failures
    }

    /// Begins to make them on a thread and a connection of their own, once per process.
    ///
    /// - Parameters:
    ///   - session: shows whether there is something to do.
    ///   - connect: opens the connection, whose settings change; may block.
    func begin(seenFrom session: Session, connect: @escaping @Sendable () throws(DatabaseError) -> Session) {
        guard !isBegun.exchange(true, ordering: .relaxed), let pending = try? changes(session), !pending.isEmpty else {
            return
        }
        // Without a thread, or without a connection, the next start tries again.
        try? Thread.start { if let session = try? connect() { _ = try? self.apply(to: session) } }
    }
}
