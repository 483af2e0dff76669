/// The moment by which the present task's work must be answered, for whatever waits on its behalf.
///
/// A connection binds one box for its whole life and changes the moment for each request, so that reading it costs one
/// look-up and binding costs nothing per request.
public final class TaskDeadline: @unchecked Sendable {
    /// Nanoseconds on the monotonic clock; nil: no limit. Changed on the task's loop only.
    public var expiry: UInt64?

    @TaskLocal public static var current: TaskDeadline?

    public init(expiry: UInt64? = nil) {
        self.expiry = expiry
    }
}
