import CLinux
import Glibc
public import Platform

/// Converts times on the monotonic clock to UTC; reads the system's clock at most once per second.
public struct WallClock: Sendable {
    /// How long a reading is used: corrections of the system clock take effect after this.
    private static let readingLifetime: UInt64 = 1_000_000_000

    /// UTC nanoseconds since 1970 minus monotonic nanoseconds, as read at `readAt`.
    private var offset: UInt64 = 0
    private var readAt: Instant?

    public init() {}

    /// UTC nanoseconds since 1970-01-01T00:00:00Z for a time close to now.
    public mutating func utc(_ monotonic: Instant) -> UInt64 {
        if let readAt, monotonic.nanoseconds &- readAt.nanoseconds < Self.readingLifetime {
            return monotonic.nanoseconds &+ offset
        }
        var time = timespec()
        // `time` outlives the call.
        _ = unsafe clock_gettime(CLOCK_REALTIME, &time)
        let now = Instant.now.nanoseconds
        offset = UInt64(time.tv_sec) &* 1_000_000_000 &+ UInt64(time.tv_nsec) &- now
        // The requested time, not `now`: a second call for the same time must not read the clock again.
        readAt = monotonic
        return monotonic.nanoseconds &+ offset
    }
}
