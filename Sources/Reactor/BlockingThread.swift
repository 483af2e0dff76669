import Glibc

/// Threads of their own for work that blocks, which no loop may.
public enum BlockingThread {
    private final class Work: Sendable {
        let body: @Sendable () -> Void
        init(body: @escaping @Sendable () -> Void) { self.body = body }
    }

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
        // The thread takes over the reference.
        let context = unsafe Unmanaged.passRetained(Work(body: body)).toOpaque()
        var thread = pthread_t()
        let error = unsafe pthread_create(
            &thread, nil,
            { context in
                // pthread_create passes on the pointer it was given.
                unsafe Unmanaged<Work>.fromOpaque(context!).takeRetainedValue().body()
                return nil
            }, context)
        guard error == 0 else {
            // Nobody else took the reference.
            unsafe Unmanaged<Work>.fromOpaque(context).release()
            return false
        }
        pthread_detach(thread)
        return true
    }
}
