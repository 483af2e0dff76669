import Glibc
import Platform

/// A value behind a lock, and threads that wait for its changes.
@safe final class Monitor<State: Sendable>: @unchecked Sendable {
    // On the heap because their addresses must not change. `init` initialises both, `deinit` destroys them, and only
    // pthread functions get them.
    private let mutex: UnsafeMutablePointer<pthread_mutex_t>
    private let changed: UnsafeMutablePointer<pthread_cond_t>
    /// Accessed only while `mutex` is held, which justifies `@unchecked Sendable`.
    private var state: State

    init(_ state: State) {
        self.state = state
        unsafe mutex = .allocate(capacity: 1)
        unsafe changed = .allocate(capacity: 1)
        unsafe succeed(pthread_mutex_init(mutex, nil))
        var attributes = pthread_condattr_t()
        unsafe succeed(pthread_condattr_init(&attributes))
        unsafe succeed(pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC))
        unsafe succeed(pthread_cond_init(changed, &attributes))
        unsafe succeed(pthread_condattr_destroy(&attributes))
    }

    deinit {
        unsafe succeed(pthread_cond_destroy(changed))
        unsafe succeed(pthread_mutex_destroy(mutex))
        unsafe changed.deallocate()
        unsafe mutex.deallocate()
    }

    /// Changes the value and wakes all waiting threads.
    func change<Result>(_ body: (inout State) -> Result) -> Result {
        unsafe succeed(pthread_mutex_lock(mutex))
        let result = body(&state)
        unsafe succeed(pthread_mutex_unlock(mutex))
        unsafe succeed(pthread_cond_broadcast(changed))
        return result
    }

    /// Waits until `condition` holds and runs `body` in the same critical section; wakes no thread.
    ///
    /// - Returns: nil when the deadline passed first; then `body` did not run.
    func wait<Result>(
        until condition: (State) -> Bool, deadline: Instant? = nil, then body: (inout State) -> Result
    ) -> Result? {
        unsafe succeed(pthread_mutex_lock(mutex))
        defer { unsafe succeed(pthread_mutex_unlock(mutex)) }
        while !condition(state) {
            guard let deadline else {
                unsafe succeed(pthread_cond_wait(changed, mutex))
                continue
            }
            let (seconds, rest) = deadline.nanoseconds.quotientAndRemainder(dividingBy: 1_000_000_000)
            var moment = timespec(tv_sec: Int(seconds), tv_nsec: Int(rest))
            let outcome = unsafe pthread_cond_timedwait(changed, mutex, &moment)
            if outcome == ETIMEDOUT { return nil }
            succeed(outcome)
        }
        return body(&state)
    }
}

/// These calls fail only when they are used incorrectly.
private func succeed(_ outcome: Int32) {
    precondition(outcome == 0, "a pthread mutex or condition was misused, error \(outcome)")
}
