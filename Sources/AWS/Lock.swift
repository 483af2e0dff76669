import Glibc

/// A state that one thread at a time may touch.
///
/// A pthread mutex, which the thread sanitizer understands where it takes `Synchronization.Mutex` for a race.
@safe final class Lock<State>: @unchecked Sendable {
    // On the heap because its address must never change; initialised by `init`, destroyed by `deinit` and passed to
    // nothing but pthread functions.
    private let mutex: UnsafeMutablePointer<pthread_mutex_t>
    /// Touched only while `mutex` is held; this is what `@unchecked` rests on. On the heap as well, because a property
    /// without a size has the object's own address, where the thread sanitizer would see a race.
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

    /// Waits for its turn, then runs `body` alone.
    func withLock<Result, Failure>(
        _ body: (inout State) throws(Failure) -> Result
    ) throws(Failure) -> Result {
        succeed(unsafe pthread_mutex_lock(mutex))
        defer { succeed(unsafe pthread_mutex_unlock(mutex)) }
        return try unsafe body(&state.pointee)
    }

    /// Runs `body` alone, unless another thread is at it.
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

/// These calls fail only when they are used wrongly.
private func succeed(_ outcome: Int32) {
    precondition(outcome == 0, "a pthread mutex was misused, error \(outcome)")
}
