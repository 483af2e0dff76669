import CLinux
import Glibc

/// Turns moments of the monotonic clock into UTC, reading the system's clock at most once a second.
public struct WallClock: Sendable {
    /// How long a reading is used: the steps of a corrected clock show up after this.
    private static let readingLifetime: UInt64 = 1_000_000_000

    /// UTC nanoseconds since 1970 minus monotonic nanoseconds, as of the reading for `readAt`.
    private var offset: UInt64 = 0
    private var readAt: UInt64?

    public init() {}

    /// UTC nanoseconds since 1970-01-01T00:00:00Z of a moment about now.
    public mutating func utc(_ monotonic: UInt64) -> UInt64 {
        if let readAt, monotonic &- readAt < Self.readingLifetime { return monotonic &+ offset }
        var time = timespec()
        // `time` outlives the call.
        _ = unsafe clock_gettime(CLOCK_REALTIME, &time)
        let now = EventLoop.monotonicNanoseconds()
        offset = UInt64(time.tv_sec) &* 1_000_000_000 &+ UInt64(time.tv_nsec) &- now
        // The moment asked about, not `now`: the same moment asked about again must not read the clock again.
        readAt = monotonic
        return monotonic &+ offset
    }
}
