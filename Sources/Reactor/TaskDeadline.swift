public import Platform
import Synchronization

/// The deadline of the current task's work; read by code that waits on its behalf.
///
/// A task that serves one request after another binds one box for its lifetime and changes the deadline for each
/// request, so that a request needs no binding of the task local.
public final class TaskDeadline: Sendable {
    @TaskLocal public static var current: TaskDeadline?

    /// 0: no limit.
    private let nanoseconds: Atomic<UInt64>

    public init(expiry: Instant? = nil) {
        nanoseconds = Atomic(expiry?.nanoseconds ?? 0)
    }

    /// Nanoseconds on the monotonic clock; nil: no limit.
    public var expiry: Instant? {
        get {
            let moment = nanoseconds.load(ordering: .relaxed)
            return moment == 0 ? nil : Instant(nanoseconds: moment)
        }
        set { nanoseconds.store(newValue?.nanoseconds ?? 0, ordering: .relaxed) }
    }
}
