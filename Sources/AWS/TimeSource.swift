import Glibc
import Platform

/// Clocks and random numbers, which tests replace.
public struct TimeSource: Sendable {
    /// Nanoseconds that never go back.
    let monotonic: @Sendable () -> UInt64
    /// Seconds since 1970-01-01T00:00:00Z.
    let utcSeconds: @Sendable () -> Int64
    /// Suspends the thread for this many milliseconds.
    let sleep: @Sendable (Int) -> Void
    /// Evenly distributed from 0 up to but not including 1.
    let fraction: @Sendable () -> Double

    /// - Parameters:
    ///   - monotonic: nanoseconds that never go back.
    ///   - utcSeconds: since 1970-01-01T00:00:00Z.
    ///   - sleep: suspends the calling thread for this many milliseconds.
    ///   - fraction: evenly distributed from 0 up to but not including 1.
    public init(
        monotonic: @escaping @Sendable () -> UInt64, utcSeconds: @escaping @Sendable () -> Int64,
        sleep: @escaping @Sendable (Int) -> Void, fraction: @escaping @Sendable () -> Double
    ) {
        self.monotonic = monotonic
        self.utcSeconds = utcSeconds
        self.sleep = sleep
        self.fraction = fraction
    }

    /// The machine's clocks and its random numbers.
    public static let system = TimeSource(
        monotonic: { Instant.now.nanoseconds },
        utcSeconds: {
            var time = timespec()
            // `time` outlives the call.
            precondition(unsafe clock_gettime(CLOCK_REALTIME, &time) == 0, "clock_gettime(2): our bug, errno \(errno)")
            return Int64(time.tv_sec)
        },
        sleep: { milliseconds in
            var pause = timespec(tv_sec: milliseconds / 1000, tv_nsec: milliseconds % 1000 * 1_000_000)
            var rest = timespec()
            // After a signal, the rest of the pause is slept too; both variables outlive the call.
            while unsafe nanosleep(&pause, &rest) != 0 && errno == EINTR { pause = rest }
        },
        fraction: { Double.random(in: 0..<1) })
}
