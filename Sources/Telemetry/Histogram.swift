import Synchronization

/// Counts durations by range. Any thread may observe; mostly one should.
public final class Histogram: Sendable {
    /// The upper bounds of the ranges; one more range, without a bound, follows them.
    public struct Buckets: Equatable, Sendable {
        /// Each bound is a series per label set: more bounds would cost the scraper more than they are worth.
        public static let limit = 15

        /// 0.5 ms to 10 s: from an answer from memory to beyond the request's deadline.
        public static let latency = Buckets(nanoseconds: [
            500_000, 1_000_000, 2_500_000, 5_000_000, 10_000_000, 25_000_000, 50_000_000, 100_000_000, 250_000_000,
            500_000_000, 1_000_000_000, 2_500_000_000, 5_000_000_000, 10_000_000_000,
        ])

        /// Ascending, in nanoseconds; a bound is part of the range below it.
        public let bounds: [UInt64]

        /// Traps unless there are 1…15 ascending bounds.
        public init(nanoseconds bounds: [UInt64]) {
            precondition((1...Self.limit).contains(bounds.count), "a histogram has 1 to \(Self.limit) bounds")
            precondition(zip(bounds, bounds.dropFirst()).allSatisfy(<), "a histogram's bounds must ascend")
            self.bounds = bounds
        }
    }

    // Stored in the object, with a fixed size, so that an observation follows no further pointer. UInt64.max follows
    // the last bound; every duration is below it.
    private let bounds: InlineArray<16, UInt64>
    private let counts: InlineArray<16, Atomic<UInt64>>
    private let sum = Atomic<UInt64>(0)

    init(_ buckets: Buckets) {
        bounds = InlineArray { index in index < buckets.bounds.count ? buckets.bounds[index] : .max }
        counts = InlineArray { _ in Atomic(0) }
    }

    /// Counts one duration. The sum of all durations must stay below 584 years.
    public func observe(nanoseconds: UInt64) {
        var index = 0
        while nanoseconds > bounds[index] { index += 1 }
        counts[index].wrappingAdd(1, ordering: .relaxed)
        sum.wrappingAdd(nanoseconds, ordering: .relaxed)
    }

    /// Adds this cell's counts to `total`.
    func add(to total: inout Total) {
        for index in total.counts.indices { total.counts[index] += counts[index].load(ordering: .relaxed) }
        total.sum += sum.load(ordering: .relaxed)
    }

    /// The sum of cells with the same labels.
    struct Total {
        /// One per range, not cumulative.
        var counts: [UInt64]
        /// Nanoseconds.
        var sum: UInt64 = 0

        init(_ buckets: Buckets) {
            counts = Array(repeating: 0, count: buckets.bounds.count + 1)
        }
    }
}
