import Synchronization

/// A number that only grows. Any thread may count; mostly one should, so that its cache line stays on one core.
public final class Counter: Sendable {
    private let count = Atomic<UInt64>(0)

    init() {}

    public func increment(by amount: UInt64 = 1) {
        count.wrappingAdd(amount, ordering: .relaxed)
    }

    /// The count so far; any thread may read it.
    public var value: UInt64 { count.load(ordering: .relaxed) }
}
