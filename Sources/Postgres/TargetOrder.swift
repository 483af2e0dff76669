import Synchronization

/// Which server of a list is tried first: the one that served last, and last the one that failed last.
///
/// After a failover the old primary may be silent, and each attempt that begins with it would cost the whole connect
/// timeout. Any thread may use it.
final class TargetOrder: Sendable {
    private let known = Mutex<[ConnectionOptions.Target]>([])

    /// The servers in the order to try them; those never heard of stay as they were given.
    func sorted(_ targets: [ConnectionOptions.Target]) -> [ConnectionOptions.Target] {
        known.withLock { known in
            // Replaced when the list is another one, so that it never grows past it.
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
