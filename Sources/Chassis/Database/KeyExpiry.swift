import Platform
import Postgres
import Reactor

/// Deletes expired idempotency keys in small batches, for as long as its loop runs. Every instance does so and skips
/// rows that another one is deleting.
final class KeyExpiry {
    /// Keys that one batch deletes at most: few enough not to delay requests.
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

    /// The schedule of the batches. They follow each other while full ones come, so that keys are deleted as fast as
    /// they were created, and use one connection for a third of the time.
    struct Pace {
        /// Pause after a batch that was not full, or that failed.
        var pauseBetweenLooks = Duration.seconds(60)
        /// Shortest pause after a full batch: for the statements that wait by then.
        static let shortestPause = Duration.milliseconds(10)
        /// The pause after a full batch is this many times its duration.
        static let pauseFactor = 2

        /// - Parameters:
        ///   - count: the number of deleted keys; nil when the batch failed.
        ///   - duration: of the batch.
        func pause(after count: Int?, took duration: Duration) -> Duration {
            guard let count, count >= KeyExpiry.batchLimit else { return pauseBetweenLooks }
            return max(Self.shortestPause, duration * Self.pauseFactor)
        }
    }

    private let loop: EventLoop
    private let pool: Pool
    private let pace: Pace
    // Its action retains this object as long as the loop retains the deadline.
    private lazy var deadline = loop.makeDeadline { [self] in look() }

    private init(on loop: EventLoop, pool: Pool, pace: Pace) {
        self.loop = loop
        self.pool = pool
        self.pace = pace
    }

    /// Starts the schedule, with a pause first.
    static func begin(on loop: EventLoop, pool: Pool, pace: Pace = Pace()) {
        loop.execute { KeyExpiry(on: loop, pool: pool, pace: pace).look(after: pace.pauseBetweenLooks) }
    }

    private func look(after pause: Duration) {
        loop.arm(deadline, at: Instant.now + pause)
    }

    private func look() {
        loop.task { [self] in await removeBatch() }
    }

    /// Deletes one batch of expired keys. An unreachable database is ignored here, because the pool has reported it.
    private func removeBatch() async {
        let start = Instant.now
        let count = try? await pool.query(Self.statement).count
        look(after: pace.pause(after: count, took: Instant.now - start))
    }
}
