import Synchronization

/// A whole number that goes up and down. One thread should do most of the writing; any may.
public final class Gauge: Sendable {
    private let level = Atomic<Int64>(0)

    init() {}

    public func set(_ value: Int64) {
        level.store(value, ordering: .relaxed)
    }

    /// Adds `amount`, which may be negative.
    public func add(_ amount: Int64) {
        level.wrappingAdd(amount, ordering: .relaxed)
    }

    /// The present value, as any thread sees it.
    public var value: Int64 { level.load(ordering: .relaxed) }
}
