import Postgres
public import ServiceLifecycle

/// Removes idempotency keys that are past their time, in small batches, for as long as the service runs. Every instance
/// does it: rows that another one is removing are passed over.
public struct KeyExpiry: Service {
    /// Between two looks: a day's keys of a busy service are thousands a minute.
    private static let pause = Duration.seconds(60)
    /// Batches of one look; what is left has to wait for the next one.
    private static let batchCount = 100

    private let store: ItemStore

    public init(_ store: ItemStore) {
        self.store = store
    }

    /// Runs until a graceful shutdown begins.
    public func run() async throws {
        await cancelWhenGracefulShutdown {
            // Only cancellation ends the sleep early.
            while (try? await Task.sleep(for: Self.pause)) != nil { await expire() }
        }
    }

    /// Removes what is due. A database that is away is no concern of this one: the pool has told of it.
    func expire() async {
        for _ in 0..<Self.batchCount {
            guard let count = try? await store.expireKeys(), count == ItemStore.expiryBatch else { return }
        }
    }
}
