import Postgres
import Reactor

/// Removes idempotency keys that are past their time, in small batches, for as long as its loop runs. Every instance does
/// it: rows that another one is removing are passed over.
actor KeyExpiry {
    /// Keys that one batch removes at most: few enough to hold up nobody.
    static let batchLimit = 500
    static let statement = Statement(
        "expire_idempotency_keys",
        """
        DELETE FROM idempotency_keys WHERE key IN (
            SELECT key FROM idempotency_keys WHERE created_at < now() - \(IdempotencyKey.lifetime)
            ORDER BY created_at LIMIT \(batchLimit) FOR UPDATE SKIP LOCKED
        ) RETURNING 1
        """,
        kind: .update)

    /// When the next batch is removed. Batches follow each other for as long as full ones come, so that keys go as fast as
    /// they were made, and leave the database two thirds of the time of the one connection that they take.
    struct Pace {
        /// Between the last batch that was not full, or that failed, and the next look.
        var pauseBetweenLooks: UInt64 = 60_000_000_000
        /// After a full batch, at least: for the statements that wait by then.
        static let shortestPause: UInt64 = 10_000_000
        /// After a full batch, by how long it took.
        static let pauseFactor: UInt64 = 2

        /// - Parameters:
        ///   - count: how many keys the batch removed; nil when it failed.
        ///   - duration: how long it took, in nanoseconds.
        func pause(after count: Int?, took duration: UInt64) -> UInt64 {
            guard let count, count >= KeyExpiry.batchLimit else { return pauseBetweenLooks }
            return max(Self.shortestPause, duration.multipliedReportingOverflow(by: Self.pauseFactor).partialValue)
        }
    }

    private let loop: EventLoop
    nonisolated var unownedExecutor: UnownedSerialExecutor { unsafe loop.asUnownedSerialExecutor() }
    private let pool: Pool
    private let pace: Pace
    // Its action keeps the actor, as long as the loop keeps the deadline.
    private lazy var deadline = loop.makeDeadline { [self] in assumeIsolated { $0.look() } }

    init(on loop: EventLoop, pool: Pool, pace: Pace = Pace()) {
        self.loop = loop
        self.pool = pool
        self.pace = pace
    }

    /// Looks for the first time after a pause, and then again and again.
    func begin() {
        look(after: pace.pauseBetweenLooks)
    }

    private func look(after pause: UInt64) {
        loop.arm(deadline, at: EventLoop.monotonicNanoseconds() + pause)
    }

    private func look() {
        Task(executorPreference: loop) { await self.removeBatch() }
    }

    /// Removes what is due, a batch of it at most. A database that is away is no concern of this one: the pool has told of it.
    private func removeBatch() async {
        let start = EventLoop.monotonicNanoseconds()
        let count = try? await pool.query(Self.statement).count
        look(after: pace.pause(after: count, took: EventLoop.monotonicNanoseconds() - start))
    }
}
