import Synchronization

/// The order in which servers are tried: the last one that worked first, the last one that failed last.
///
/// After a failover the old primary may not respond, and every attempt that starts with it would take the whole connect
/// timeout. May be used from any thread.
final class TargetOrder: Sendable {
    private let known = Mutex<[ConnectionOptions.Target]>([])

    /// The servers in the order to try them; untried ones keep the given order.
    func sorted(_ targets: [ConnectionOptions.Target]) -> [ConnectionOptions.Target] {
        known.withLock { known in
            // Replaced when the list changes, which bounds its size.
            if Set(known) != Set(targets) { known = targets }
            return known
        }
    }

    func prefer(_ target: ConnectionOptions.Target) {
        known.withLock { known in
            known.removeAll { $0 == target }
            known.insert(target, at: 0)
        }
    }

    func `defer`(_ target: ConnectionOptions.Target) {
        known.withLock { known in
            known.removeAll { $0 == target }
            known.append(target)
        }
    }
}
