import Glibc

/// A time on the monotonic clock (`CLOCK_MONOTONIC`), in nanoseconds. It never goes back and is unrelated to the
/// calendar.
///
/// Swift's `ContinuousClock.Instant` is not used: it reads another clock (`CLOCK_BOOTTIME`) than epoll and condition
/// variables use, and its 128-bit attoseconds are too slow for a deadline per statement.
public struct Instant: Hashable, Comparable, Sendable {
    /// Nanoseconds since a time the kernel chose, the same for all threads of the machine.
    public var nanoseconds: UInt64

    @inlinable @inline(__always)
    public init(nanoseconds: UInt64) {
        self.nanoseconds = nanoseconds
    }

    /// The current time.
    @inline(__always)
    public static var now: Instant {
        var time = timespec()
        // `time` outlives the call, which can only fail for an unknown clock.
        _ = unsafe clock_gettime(CLOCK_MONOTONIC, &time)
        return Instant(nanoseconds: UInt64(time.tv_sec) &* 1_000_000_000 &+ UInt64(time.tv_nsec))
    }

    /// Later than any other time: a deadline that never passes.
    public static let distantFuture = Instant(nanoseconds: .max)

    @inlinable @inline(__always)
    public static func < (left: Instant, right: Instant) -> Bool {
        left.nanoseconds < right.nanoseconds
    }

    /// Adds a duration, up to `distantFuture`; a negative duration counts as zero.
    public static func + (instant: Instant, duration: Duration) -> Instant {
        instant.advanced(byNanoseconds: duration.nanoseconds)
    }

    /// The duration from `earlier` to `later`; zero if it would be negative.
    public static func - (later: Instant, earlier: Instant) -> Duration {
        .nanoseconds(Int64(clamping: later.nanoseconds(since: earlier)))
    }

    /// As `+`, without the arithmetic of `Duration`.
    @inlinable @inline(__always)
    public func advanced(byNanoseconds span: UInt64) -> Instant {
        let (sum, isOver) = nanoseconds.addingReportingOverflow(span)
        return Instant(nanoseconds: isOver ? .max : sum)
    }

    /// As `-`, without the arithmetic of `Duration`.
    @inlinable @inline(__always)
    public func nanoseconds(since earlier: Instant) -> UInt64 {
        nanoseconds > earlier.nanoseconds ? nanoseconds &- earlier.nanoseconds : 0
    }
}

extension Duration {
    /// Whole nanoseconds, rounded down; 0 for a negative duration, `UInt64.max` above 584 years.
    public var nanoseconds: UInt64 {
        let (seconds, attoseconds) = components
        guard seconds >= 0, attoseconds >= 0 else { return 0 }
        let (whole, isOver) = UInt64(seconds).multipliedReportingOverflow(by: 1_000_000_000)
        let (sum, isSumOver) = whole.addingReportingOverflow(UInt64(attoseconds) / 1_000_000_000)
        return isOver || isSumOver ? .max : sum
    }

    /// Whole milliseconds, rounded down; the unit of settings, log lines and poll(2).
    public var milliseconds: Int {
        Int(clamping: nanoseconds / 1_000_000)
    }
}
