import Platform
import Synchronization

/// The time of the last successful health check, for all loops of the process. Any thread may use it.
final class LastSeen: Sendable {
    // 0: never.
    private let moment = Atomic<UInt64>(0)

    /// Whether a health check has ever succeeded: from then on a load balancer may send requests.
    var isKnown: Bool { moment.load(ordering: .relaxed) > 0 }

    func note(_ now: Instant) {
        moment.store(now.nanoseconds, ordering: .relaxed)
    }

    func isWithin(_ duration: Duration, of now: Instant) -> Bool {
        let moment = moment.load(ordering: .relaxed)
        return moment > 0 && now < Instant(nanoseconds: moment) + duration
    }
}
