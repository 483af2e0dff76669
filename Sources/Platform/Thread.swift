import Glibc

/// Starts threads: for event loops, for the log writer, and for blocking work.
public enum Thread {
    private final class Work: Sendable {
        let body: @Sendable () -> Void
        init(body: @escaping @Sendable () -> Void) { self.body = body }
    }

    /// The system cannot create a thread.
    public struct NoThread: Error, Equatable, Sendable {
        /// The error number that pthread_create returned.
        public let errno: Int32
    }

    /// Runs `body` on a new detached thread.
    ///
    /// - Throws: `NoThread` when the system cannot create one; `body` is not called then.
    public static func start(_ body: @escaping @Sendable () -> Void) throws(NoThread) {
        // The new thread takes over the reference.
        let context = unsafe Unmanaged.passRetained(Work(body: body)).toOpaque()
        var thread = pthread_t()
        let error = unsafe pthread_create(
            &thread, nil,
            { context in
                // pthread_create passes the pointer on unchanged.
                unsafe Unmanaged<Work>.fromOpaque(context!).takeRetainedValue().body()
                return nil
            }, context)
        guard error == 0 else {
            // No thread was created to take over the reference.
            unsafe Unmanaged<Work>.fromOpaque(context).release()
            throw NoThread(errno: error)
        }
        pthread_detach(thread)
    }
}
