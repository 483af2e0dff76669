import Glibc

/// A thread of its own, for an event loop, for the log writer, and for work that blocks.
public enum Thread {
    private final class Work: Sendable {
        let body: @Sendable () -> Void
        init(body: @escaping @Sendable () -> Void) { self.body = body }
    }

    /// The system has no thread to give.
    public struct NoThread: Error, Equatable, Sendable {
        /// pthread_create's error number.
        public let errno: Int32
    }

    /// Runs `body` on a new thread, which ends with it and is waited for by nobody.
    ///
    /// - Throws: `NoThread` when the system has none to give; `body` is not called then.
    public static func start(_ body: @escaping @Sendable () -> Void) throws(NoThread) {
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
            // The thread that would have taken the reference does not exist.
            unsafe Unmanaged<Work>.fromOpaque(context).release()
            throw NoThread(errno: error)
        }
        pthread_detach(thread)
    }
}
