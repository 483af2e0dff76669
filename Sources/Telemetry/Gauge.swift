import Synchronization

/// A whole number that goes up and down. Any thread may write; mostly one should.
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

    /// The current value; any thread may read it.
    public var value: Int64 { level.load(ordering: .relaxed) }
}
