package import Platform
import Reactor
import Synchronization

// What happens after SIGTERM
// ==========================
//
// A load balancer keeps sending for a while after it was asked to stop, so the server stops in phases. `Drain.Course`
// decides when each begins, `Drain.Phase` what it means for connections, and `Drain.Intake` which clients of the accept
// queue are still accepted.
//
// | phase      | begins                                   | new clients          | responses   | connections                         |
// |------------|------------------------------------------|----------------------|-------------|-------------------------------------|
// | serving    | at the start                             | accepted             | keep alive  | idle for the keep-alive time        |
// | announcing | on SIGTERM; the health check fails       | accepted             | close       | as before; closed once acknowledged |
// | closing    | after the delay, or when it is skipped   | those in the queue   | close       | idle ones close, others finish      |
// | cutting    | after the timeout, if some are open      | none                 | none        | all are closed                      |
// | ended      | when none is open, or 1 s after the cut  | none                 | none        | –                                   |

/// The server's drain phase, shared by all loops; it only moves forward.
public final class Drain: Sendable {
    public enum Phase: Int, Comparable, Sendable {
        case serving
        /// Requests are served; responses ask the client to close, and the health check fails.
        case announcing
        /// Idle connections close, others finish their request; only clients in the accept queue are accepted.
        case closing
        /// Remaining connections are cut.
        case cutting
        case ended

        public static func < (left: Phase, right: Phase) -> Bool { left.rawValue < right.rawValue }

        /// Whether a connection may stay open after a response.
        var keepsConnections: Bool { self == .serving }

        /// Whether a connection closes only after the client's kernel has acknowledged every byte. When the process
        /// ends its network may go with it (a container's does), and with that the data in the kernel's send buffers.
        var awaitsDelivery: Bool { self != .serving }

        /// Whether a connection closes instead of waiting for the next request.
        var closesIdleConnections: Bool { self >= .closing }

        /// Whether connections close in any state.
        var cutsConnections: Bool { self >= .cutting }

        /// Whether idle handler tasks are kept for further requests.
        var keepsRunners: Bool { self < .ended }
    }

    private let value = Atomic<Int>(Phase.serving.rawValue)
    private let skips = Atomic<Bool>(false)

    public init() {}

    @inline(__always)
    public var phase: Phase {
        guard let phase = Phase(rawValue: value.load(ordering: .relaxed)) else { fatalError("no such drain phase") }
        return phase
    }

    @inline(__always)
    public var isDraining: Bool { value.load(ordering: .relaxed) != Phase.serving.rawValue }

    /// Starts or continues the drain without the load balancer's delay, for a person at a terminal.
    public func skipDelay() {
        skips.store(true, ordering: .relaxed)
    }

    var skipsDelay: Bool { skips.load(ordering: .relaxed) }

    func enter(_ phase: Phase) {
        precondition(phase >= self.phase, "the drain went back from \(self.phase) to \(phase)")
        value.store(phase.rawValue, ordering: .relaxed)
    }
}

extension Drain {
    /// When each phase begins, as a pure value: called periodically, it returns the next phase once it is due.
    package struct Course: Sendable {
        /// Time after the cut for connections to disappear.
        private static let cutLimit = Duration.seconds(1)

        private let delay: Duration
        private let timeout: Duration
        package private(set) var phase = Phase.serving
        /// The latest end of the current phase.
        package private(set) var limit = Instant(nanoseconds: 0)

        /// - Parameters:
        ///   - delay: time for the load balancer, from the announcement.
        ///   - timeout: time for requests in flight, from the end of the delay.
        package init(delay: Duration, timeout: Duration) {
            self.delay = delay
            self.timeout = timeout
        }

        /// The phase that begins now; nil while the current one continues.
        ///
        /// - Parameters:
        ///   - openCount: number of open connections.
        ///   - skipsDelay: whether the stop was requested by SIGINT, or before clients were served.
        package mutating func next(at now: Instant, openCount: Int, skipsDelay: Bool) -> Phase? {
            switch phase {
            case .serving: return enter(.announcing, until: now + delay)
            case .announcing: return now >= limit || skipsDelay ? enter(.closing, until: now + timeout) : nil
            case .closing where openCount == 0: return enter(.ended, until: now)
            case .closing: return now >= limit ? enter(.cutting, until: now + Self.cutLimit) : nil
            case .cutting: return openCount == 0 || now >= limit ? enter(.ended, until: now) : nil
            case .ended: return nil
            }
        }

        private mutating func enter(_ next: Phase, until limit: Instant) -> Phase {
            (phase, self.limit) = (next, limit)
            return next
        }
    }

    /// What one listener still accepts once the server closes: the clients in its queue, even if more keep coming.
    package struct Intake: Sendable {
        package enum Step: Equatable, Sendable {
            /// More clients wait; first the loop's connections get an iteration.
            case nextTurn
            /// Clients wait for places.
            case pause
            case stop
        }

        private var remaining: Int
        private let limit: Instant

        /// - Parameters:
        ///   - queueLength: capacity of the queue; every client that connected before closing is among that many.
        ///   - limit: when to stop waiting for places for clients in the queue.
        package init(queueLength: Int, until limit: Instant) {
            remaining = queueLength
            self.limit = limit
        }

        /// How many clients the next attempt may accept.
        package func allowance(batch: Int) -> Int { min(remaining, batch) }

        /// The step after an attempt that accepted `count` clients of `batch`.
        package mutating func took(
            _ count: Int, batch: Int, hasClient: Bool, isFailing: Bool, at now: Instant
        ) -> Step {
            remaining -= count
            guard remaining > 0 && hasClient && !isFailing && now < limit else { return .stop }
            return count == batch ? .nextTurn : .pause
        }
    }
}
