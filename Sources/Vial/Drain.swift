import Synchronization

/// How far the server is on its way to its end. Shared by all loops; it only moves forward.
///
/// A load balancer goes on sending for a while after it was told to stop, so the end comes in phases: first everything is
/// served as before, with `Connection: close` and a failing health check; then idle connections close and the queue of
/// the listening sockets is taken in; what is in flight finishes, within a limit; the rest is cut.
public final class Drain: Sendable {
    public enum Phase: Int, Comparable, Sendable {
        case serving
        /// Everything is served; answers ask the client to close, and the health check fails.
        case announcing
        /// Idle connections close, the others finish their request; of new ones, only those in the queue are taken in.
        case closing
        /// Connections that are left are cut.
        case cutting
        case ended

        public static func < (left: Phase, right: Phase) -> Bool { left.rawValue < right.rawValue }
    }

    private let value = Atomic<Int>(Phase.serving.rawValue)
    private let skips = Atomic<Bool>(false)

    public init() {}

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
