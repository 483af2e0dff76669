import Platform

/// Threads of their own for work that blocks, which no loop may.
public enum BlockingThread {
    /// Runs blocking work on a new thread and waits for its value.
    ///
    /// - Returns: nil when the system has no thread to give.
    public static func run<Value: Sendable>(_ work: @escaping @Sendable () -> Value) async -> Value? {
        await withCheckedContinuation { continuation in
            if !start({ continuation.resume(returning: work()) }) { continuation.resume(returning: nil) }
        }
    }

    /// Such work is rare, so a thread each costs less than keeping one.
    ///
    /// - Returns: false when the system has no thread to give; `body` is not called then.
    public static func start(_ body: @escaping @Sendable () -> Void) -> Bool {
        do throws(Thread.NoThread) { try Thread.start(body) } catch { return false }
        return true
    }
}
