import Glibc

/// Prints the seed when a state machine traps because it finds itself inconsistent.
enum Trap {
    /// The seed that a thread runs.
    private struct Slot {
        var thread: UInt = 0
        var seed: UInt64 = 0
    }

    // Read by a signal handler, which may neither lock nor allocate: allocated once, never freed.
    nonisolated(unsafe) private static var slots = unsafe UnsafeMutableBufferPointer<Slot>(start: nil, count: 0)

    /// Installs the signal handlers; called before the workers start.
    static func install(workers: Int) {
        unsafe slots = .allocate(capacity: workers)
        unsafe slots.initialize(repeating: Slot())
        for number in [SIGILL, SIGTRAP, SIGABRT, SIGSEGV, SIGBUS] {
            _ = signal(number) { number in
                Trap.tell()
                // The instruction runs again, and the default action ends the process.
                _ = signal(number, SIG_DFL)
            }
        }
    }

    /// Records the seed that the calling thread runs from now on.
    static func begin(_ seed: UInt64, worker: Int) {
        unsafe slots[worker] = Slot(thread: UInt(pthread_self()), seed: seed)
    }

    private static func tell() {
        let thread = UInt(pthread_self())
        for index in unsafe slots.indices {
            let slot = unsafe slots[index]
            guard slot.thread == thread else { continue }
            // On the stack: no allocation, no lock.
            var digits: InlineArray<20, UInt8> = .init(repeating: 0)
            var count = 0
            var rest = slot.seed
            repeat {
                digits[19 - count] = 0x30 + UInt8(rest % 10)
                rest /= 10
                count += 1
            } while rest > 0
            put("a decider trapped; replay it with: scripts/simulate --seed ")
            for index in (20 - count)..<20 {
                var digit = digits[index]
                _ = unsafe write(STDERR_FILENO, &digit, 1)
            }
            put("\n")
        }
    }

    private static func put(_ text: StaticString) {
        _ = unsafe write(STDERR_FILENO, text.utf8Start, text.utf8CodeUnitCount)
    }
}
