import Glibc

/// SIGTERM and SIGINT as values: one thread waits for them and takes them one by one, whatever the other threads do.
struct StopSignals {
    /// Sent by a person at a terminal.
    static let interrupt = SIGINT

    private static var set: sigset_t {
        var set = sigset_t()
        // A local variable of the type that the calls take.
        unsafe sigemptyset(&set)
        for number in numbers { unsafe sigaddset(&set, number) }
        return set
    }

    private static let numbers = [SIGTERM, SIGINT]

    /// Whether a stop skips the delay for a load balancer: because a person waits for it, or because no load balancer
    /// sends requests yet.
    ///
    /// - Parameters:
    ///   - isReady: whether the start has ended.
    ///   - wasHealthy: whether a health check has passed, after which a load balancer may send requests.
    static func skipsDelay(_ signal: Int32, isReady: Bool, wasHealthy: Bool) -> Bool {
        signal == interrupt || !(isReady || wasHealthy)
    }

    /// Blocks both signals, as CProcess did so far, in this thread and in all threads that it starts: none is lost
    /// before a thread waits for it, also in the first process of a container, for which the kernel drops a signal that
    /// is neither blocked nor handled. SIGHUP, from a closed terminal or a manager, is ignored.
    init() {
        // A shell without job control starts its background commands with SIGINT ignored.
        for number in Self.numbers { _ = signal(number, SIG_DFL) }
        _ = signal(SIGHUP, SIG_IGN)
        Self.mask(SIG_BLOCK)
    }

    /// Restores their default action for a process that does not wait for them.
    static func release() {
        mask(SIG_UNBLOCK)
    }

    private static func mask(_ how: Int32) {
        var set = set
        // A local variable that outlives the call.
        unsafe pthread_sigmask(how, &set, nil)
    }

    /// Waits for the next signal.
    func next() -> Int32 {
        var set = Self.set
        var number: Int32 = 0
        // Local variables that outlive the call. It fails only for an empty set.
        let error = unsafe sigwait(&set, &number)
        precondition(error == 0, "sigwait: errno \(error)")
        return number
    }
}
