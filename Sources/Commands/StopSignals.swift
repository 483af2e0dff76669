import Glibc

/// SIGTERM and SIGINT as values: taken one by one by the thread that waits for them, whatever the others do.
struct StopSignals {
    /// A person's, at a terminal.
    static let interrupt = SIGINT

    private var signals = sigset_t()

    /// Holds both back, from now on in this thread and in all that it starts: none is lost before somebody waits for it,
    /// also in the first process of a container, for which the kernel drops a signal that is neither held nor handled. A
    /// terminal or a manager that hangs up (SIGHUP) is no reason to end.
    init() {
        // Both sets are locals of the type that the calls take.
        unsafe sigemptyset(&signals)
        for number in [SIGTERM, SIGINT] {
            // A shell without job control starts its background commands with SIGINT ignored.
            _ = signal(number, SIG_DFL)
            unsafe sigaddset(&signals, number)
        }
        _ = signal(SIGHUP, SIG_IGN)
        unsafe pthread_sigmask(SIG_BLOCK, &signals, nil)
    }

    /// Waits for the next one.
    func next() -> Int32 {
        var signals = signals
        var number: Int32 = 0
        // Locals that outlive the call. It fails for a set without signals alone.
        let error = unsafe sigwait(&signals, &number)
        precondition(error == 0, "sigwait: errno \(error)")
        return number
    }
}
