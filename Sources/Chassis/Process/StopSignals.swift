import Glibc

/// SIGTERM and SIGINT as values: taken one by one by the thread that waits for them, whatever the others do.
struct StopSignals {
    /// A person's, at a terminal.
    static let interrupt = SIGINT

    private static var set: sigset_t {
        var set = sigset_t()
        // A local of the type that the calls take.
        unsafe sigemptyset(&set)
        for number in numbers { unsafe sigaddset(&set, number) }
        return set
    }

    private static let numbers = [SIGTERM, SIGINT]

    /// Whether a stop leaves a load balancer no time: a person waits for it, or no balancer sends anybody.
    ///
    /// - Parameters:
    ///   - isReady: whether the start is over.
    ///   - wasHealthy: whether a health check has passed, after which a balancer may send clients.
    static func skipsDelay(_ signal: Int32, isReady: Bool, wasHealthy: Bool) -> Bool {
        signal == interrupt || !(isReady || wasHealthy)
    }

    /// Holds both back, as CProcess did so far, in this thread and in all that it starts: none is lost before somebody waits
    /// for it, also in the first process of a container, for which the kernel drops a signal that is neither held nor handled.
    /// A terminal or a manager that hangs up (SIGHUP) is no reason to end.
    init() {
        // A shell without job control starts its background commands with SIGINT ignored.
        for number in Self.numbers { _ = signal(number, SIG_DFL) }
        _ = signal(SIGHUP, SIG_IGN)
        Self.mask(SIG_BLOCK)
    }

    /// Lets them end a process in which nobody waits for them.
    static func release() {
        mask(SIG_UNBLOCK)
    }

    private static func mask(_ how: Int32) {
        var set = set
        // A local that outlives the call.
        unsafe pthread_sigmask(how, &set, nil)
    }

    /// Waits for the next one.
    func next() -> Int32 {
        var set = Self.set
        var number: Int32 = 0
        // Locals that outlive the call. It fails for a set without signals alone.
        let error = unsafe sigwait(&set, &number)
        precondition(error == 0, "sigwait: errno \(error)")
        return number
    }
}
