import Platform

/// Nanoseconds of virtual time since the start of a schedule.
typealias Moment = UInt64

extension Moment {
    static let microsecond: Moment = 1000
    static let millisecond: Moment = 1_000_000
    static let second: Moment = 1_000_000_000

    /// As an instant, for the state machines.
    var instant: Instant { Instant(nanoseconds: self) }
    /// As a span of time.
    var duration: Duration { .nanoseconds(Int64(self)) }
}
