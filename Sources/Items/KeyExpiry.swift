public import Reactor

/// Removes idempotency keys that are past their time, in small batches, for as long as its loop runs. Every instance does
/// it: rows that another one is removing are passed over.
public actor KeyExpiry {
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
            guard let count, count >= ItemStore.expiryBatch else { return pauseBetweenLooks }
            return max(Self.shortestPause, duration.multipliedReportingOverflow(by: Self.pauseFactor).partialValue)
        }
    }

    private let loop: EventLoop
    public nonisolated var unownedExecutor: UnownedSerialExecutor { unsafe loop.asUnownedSerialExecutor() }
    private let store: ItemStore
    private let pace: Pace
    // Its action keeps the actor, as long as the loop keeps the deadline.
    private lazy var deadline = loop.makeDeadline { [self] in assumeIsolated { $0.look() } }

    public init(on loop: EventLoop, store: ItemStore) {
        self.init(on: loop, store: store, pace: Pace())
    }

    init(on loop: EventLoop, store: ItemStore, pace: Pace) {
        self.loop = loop
        self.store = store
        self.pace = pace
    }

    /// Looks for the first time after a pause, and then again and again.
    public func begin() {
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
        let count = try? await store.expireKeys()
        look(after: pace.pause(after: count, took: EventLoop.monotonicNanoseconds() - start))
    }
}
