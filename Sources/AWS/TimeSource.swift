import Glibc
public import Platform

/// Clocks and random numbers, which tests replace.
public struct TimeSource: Sendable {
    let monotonic: @Sendable () -> Instant
    /// Seconds since 1970-01-01T00:00:00Z.
    let utcSeconds: @Sendable () -> Int64
    /// Suspends the thread for this long.
    let sleep: @Sendable (Duration) -> Void
    /// Evenly distributed from 0 up to but not including 1.
    let fraction: @Sendable () -> Double

    /// - Parameters:
    ///   - monotonic: a clock that never goes back.
    ///   - utcSeconds: since 1970-01-01T00:00:00Z.
    ///   - sleep: suspends the calling thread for this long.
    ///   - fraction: evenly distributed from 0 up to but not including 1.
    public init(
        monotonic: @escaping @Sendable () -> Instant, utcSeconds: @escaping @Sendable () -> Int64,
        sleep: @escaping @Sendable (Duration) -> Void, fraction: @escaping @Sendable () -> Double
    ) {
        self.monotonic = monotonic
        self.utcSeconds = utcSeconds
        self.sleep = sleep
        self.fraction = fraction
    }

    /// The machine's clocks and its random numbers.
    public static let system = TimeSource(
        monotonic: { Instant.now },
        utcSeconds: {
            var time = timespec()
            // `time` outlives the call.
            precondition(
                unsafe clock_gettime(CLOCK_REALTIME, &time) == 0,
                "clock_gettime(2): a bug of this program, errno \(errno)")
            return Int64(time.tv_sec)
        },
        sleep: { duration in
            let (seconds, nanoseconds) = duration.nanoseconds.quotientAndRemainder(dividingBy: 1_000_000_000)
            var pause = timespec(tv_sec: Int(seconds), tv_nsec: Int(nanoseconds))
            var rest = timespec()
            // After a signal, the rest of the pause is slept too; both variables outlive the call.
            while unsafe nanosleep(&pause, &rest) != 0 && errno == EINTR { pause = rest }
        },
        fraction: { Double.random(in: 0..<1) })
}
