public import Reactor

/// Removes idempotency keys that are past their time, in small batches, for as long as its loop runs. Every instance does
/// it: rows that another one is removing are passed over.
public actor KeyExpiry {
    /// Between two looks: a day's keys of a busy service are thousands a minute.
    private static let pause: UInt64 = 60_000_000_000
    /// Batches of one look; what is left has to wait for the next one.
    private static let batchLimit = 100

    private let loop: EventLoop
    public nonisolated var unownedExecutor: UnownedSerialExecutor { unsafe loop.asUnownedSerialExecutor() }
    private let store: ItemStore
    // Its action keeps the actor, as long as the loop keeps the deadline.
    private lazy var deadline = loop.makeDeadline { [self] in assumeIsolated { $0.look() } }

    public init(on loop: EventLoop, store: ItemStore) {
        self.loop = loop
        self.store = store
    }

    /// Looks for the first time after a pause, and then again and again.
    public func begin() {
        loop.arm(deadline, at: EventLoop.monotonicNanoseconds() + Self.pause)
    }

    private func look() {
        Task(executorPreference: loop) { await self.expireAndBeginAgain() }
    }

    private func expireAndBeginAgain() async {
        await expire()
        begin()
    }

    /// Removes what is due. A database that is away is no concern of this one: the pool has told of it.
    func expire() async {
        for _ in 0..<Self.batchLimit {
            guard let count = try? await store.expireKeys(), count == ItemStore.expiryBatch else { return }
        }
    }
}
