import Synchronization

/// The moment by which the present task's work must be answered, for whatever waits on its behalf.
///
/// A task that serves one request after the other binds one box for its whole life and changes the moment for each request, so that
/// reading it costs one look-up and binding costs nothing per request.
public final class TaskDeadline: Sendable {
    @TaskLocal public static var current: TaskDeadline?

    /// 0: no limit.
    private let nanoseconds: Atomic<UInt64>

    public init(expiry: UInt64? = nil) {
        nanoseconds = Atomic(expiry ?? 0)
    }

    /// Nanoseconds on the monotonic clock; nil: no limit.
    public var expiry: UInt64? {
        get {
            let moment = nanoseconds.load(ordering: .relaxed)
            return moment == 0 ? nil : moment
        }
        set { nanoseconds.store(newValue ?? 0, ordering: .relaxed) }
    }
}
