import Synchronization

/// A number that only grows. One thread should do most of the counting, so that its cache line stays there; any may.
public final class Counter: Sendable {
    private let count = Atomic<UInt64>(0)

    init() {}

    public func increment(by amount: UInt64 = 1) {
        count.wrappingAdd(amount, ordering: .relaxed)
    }

    /// The count so far, as any thread sees it.
    public var value: UInt64 { count.load(ordering: .relaxed) }
}
