import Glibc

/// A value that one thread at a time may access.
///
/// It uses a pthread mutex because the thread sanitizer reports `Synchronization.Mutex` as a race.
@safe final class Lock<State>: @unchecked Sendable {
    // On the heap because its address must not change. `init` initialises it, `deinit` destroys it, and only pthread
    // functions get it.
    private let mutex: UnsafeMutablePointer<pthread_mutex_t>
    /// Accessed only while `mutex` is held, which justifies `@unchecked Sendable`. On the heap because a property
    /// without a size has the object's address, where the thread sanitizer would report a race.
    private let state: UnsafeMutablePointer<State>

    init(_ state: sending State) {
        unsafe self.state = .allocate(capacity: 1)
        unsafe self.state.initialize(to: state)
        unsafe mutex = .allocate(capacity: 1)
        succeed(unsafe pthread_mutex_init(mutex, nil))
    }

    deinit {
        succeed(unsafe pthread_mutex_destroy(mutex))
        unsafe mutex.deallocate()
        unsafe state.deinitialize(count: 1)
        unsafe state.deallocate()
    }

    /// Waits for the lock, then runs `body` exclusively.
    func withLock<Result, Failure>(
        _ body: (inout State) throws(Failure) -> Result
    ) throws(Failure) -> Result {
        succeed(unsafe pthread_mutex_lock(mutex))
        defer { succeed(unsafe pthread_mutex_unlock(mutex)) }
        return try unsafe body(&state.pointee)
    }

    /// Runs `body` exclusively, unless another thread holds the lock.
    ///
    /// - Returns: nil when `body` did not run.
    func withLockIfFree<Result, Failure>(
        _ body: (inout State) throws(Failure) -> Result
    ) throws(Failure) -> Result? {
        let outcome = unsafe pthread_mutex_trylock(mutex)
        guard outcome != EBUSY else { return nil }
        succeed(outcome)
        defer { succeed(unsafe pthread_mutex_unlock(mutex)) }
        return try unsafe body(&state.pointee)
    }
}

/// These calls fail only when they are used incorrectly.
private func succeed(_ outcome: Int32) {
    precondition(outcome == 0, "a pthread mutex was misused, error \(outcome)")
}
