import Platform

/// Threads of their own for work that blocks, which no loop may.
public enum BlockingThread {
    /// Runs blocking work on a new thread and waits for its value. Such work is rare, so a thread each costs less than
    /// keeping one.
    ///
    /// - Returns: nil when the system has no thread to give.
    public static func run<Value: Sendable>(_ work: @escaping @Sendable () -> Value) async -> Value? {
        await withCheckedContinuation { continuation in
            do throws(Thread.NoThread) { try Thread.start { continuation.resume(returning: work()) } } catch {
                continuation.resume(returning: nil)
            }
        }
    }
}
