import Reactor
import Synchronization

// What happens after SIGTERM
// ==========================
//
// A load balancer goes on sending for a while after it was told to stop, so the end comes in phases. `Drain.Course` says
// when each begins, `Drain.Phase` what it means for connections, and `Drain.Intake` what still comes in from the accept queue.
//
// | phase      | from                                     | new clients          | answers     | connections                        |
// |------------|------------------------------------------|----------------------|-------------|------------------------------------|
// | serving    | the start                                | taken in             | keep alive  | idle for the keep-alive time       |
// | announcing | SIGTERM; the health check fails          | taken in             | close       | as before; closed once acknowledged |
// | closing    | the delay is over, or it is skipped      | those in the queue   | close       | idle ones close, others finish     |
// | cutting    | the timeout is over with some still open | none                 | none        | all are closed                     |
// | ended      | none is open, or the cut took a second   | none                 | none        | –                                  |

/// How far the server is on its way to its end. Shared by all loops; it only moves forward.
public final class Drain: Sendable {
    public enum Phase: Int, Comparable, Sendable {
        case serving
        /// Everything is served; answers ask the client to close, and the health check fails.
        case announcing
        /// Idle connections close, the others finish their request; of new clients, only those in the queue are taken in.
        case closing
        /// Connections that are left are cut.
        case cutting
        case ended

        public static func < (left: Phase, right: Phase) -> Bool { left.rawValue < right.rawValue }

        /// Whether a connection may go on after an answer.
        var keepsConnections: Bool { self == .serving }

        /// Whether a connection closes only when its client's side has acknowledged every byte: a process that ends may take its
        /// network with it, as a container does, and with that what the kernel holds for clients.
        var awaitsDelivery: Bool { self != .serving }

        /// Whether a connection closes instead of waiting for the next request.
        var closesIdleConnections: Bool { self >= .closing }

        /// Whether connections close whatever they are doing.
        var cutsConnections: Bool { self >= .cutting }

        /// Whether tasks that run handlers are kept for further requests.
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

    /// Makes the drain begin, or go on, without the time for the load balancer: a person at a terminal waits.
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
    /// When each phase begins, as a value: asked at intervals, it names the next phase once it is due. Times are nanoseconds.
    package struct Course: Sendable {
        /// How long the connections that are cut have to go.
        private static let cutMilliseconds = 1000

        private let delay: UInt64
        private let timeout: UInt64
        package private(set) var phase = Phase.serving
        /// When the phase is over at the latest.
        package private(set) var limit: UInt64 = 0

        /// - Parameters:
        ///   - delay: for the load balancer, from the announcement on.
        ///   - timeout: for what is in flight, from then on.
        package init(delay: UInt64, timeout: UInt64) {
            self.delay = delay
            self.timeout = timeout
        }

        /// The phase that begins now; nil while the present one lasts.
        ///
        /// - Parameters:
        ///   - openCount: connections that are open.
        ///   - skipsDelay: whether the stop was asked for by SIGINT, or before clients were served.
        package mutating func next(at now: UInt64, openCount: Int, skipsDelay: Bool) -> Phase? {
            switch phase {
            case .serving: return enter(.announcing, until: now &+ delay)
            case .announcing: return now >= limit || skipsDelay ? enter(.closing, until: now &+ timeout) : nil
            case .closing where openCount == 0: return enter(.ended, until: now)
            case .closing: return now >= limit ? enter(.cutting, until: now &+ nanoseconds(Self.cutMilliseconds)) : nil
            case .cutting: return openCount == 0 || now >= limit ? enter(.ended, until: now) : nil
            case .ended: return nil
            }
        }

        private mutating func enter(_ next: Phase, until limit: UInt64) -> Phase {
            (phase, self.limit) = (next, limit)
            return next
        }
    }

    /// What one listener still takes in once the server closes: who is in its queue, also when others go on coming.
    package struct Intake: Sendable {
        package enum Step: Equatable, Sendable {
            /// More clients wait, and the loop's others have their turn first.
            case nextTurn
            /// Clients wait for places.
            case pause
            case stop
        }

        private var remaining: Int
        private let limit: UInt64

        /// - Parameters:
        ///   - queueLength: what the queue holds at most: everyone who came before is among them.
        ///   - limit: when clients in it are not waited with any longer for places.
        package init(queueLength: Int, until limit: UInt64) {
            remaining = queueLength
            self.limit = limit
        }

        /// How many clients one attempt may take.
        package func allowance(batch: Int) -> Int { min(remaining, batch) }

        /// What follows an attempt that took in `count` clients of `batch`.
        package mutating func took(
            _ count: Int, batch: Int, hasClient: Bool, isFailing: Bool, at now: UInt64
        ) -> Step {
            remaining -= count
            guard remaining > 0 && hasClient && !isFailing && now < limit else { return .stop }
            return count == batch ? .nextTurn : .pause
        }
    }
}
