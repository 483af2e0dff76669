import Platform

/// Runs blocking work on separate threads, because a loop must not block.
public enum BlockingThread {
    /// Runs blocking work on a new thread and waits for its value. Such work is rare, so a thread each costs less than
    /// keeping one.
    ///
    /// - Returns: nil when the system cannot create a thread.
    public static func run<Value: Sendable>(_ work: @escaping @Sendable () -> Value) async -> Value? {
        await withCheckedContinuation { continuation in
            do throws(Thread.NoThread) { try Thread.start { continuation.resume(returning: work()) } } catch {
                continuation.resume(returning: nil)
            }
        }
    }
}
