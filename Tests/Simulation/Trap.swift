import Glibc

/// A decider that finds its own invariant broken ends the process: then this says by which seed.
enum Trap {
    /// Which thread runs which seed.
    private struct Slot {
        var thread: UInt = 0
        var seed: UInt64 = 0
    }

    // Read by the signal's handler, which may use neither locks nor memory that is not there yet: made once, never freed.
    nonisolated(unsafe) private static var slots = unsafe UnsafeMutableBufferPointer<Slot>(start: nil, count: 0)

    /// Before the workers begin.
    static func install(workers: Int) {
        unsafe slots = .allocate(capacity: workers)
        unsafe slots.initialize(repeating: Slot())
        for number in [SIGILL, SIGTRAP, SIGABRT, SIGSEGV, SIGBUS] {
            _ = signal(number) { number in
                Trap.tell()
                // The process ends by the signal itself, when the instruction is met again.
                _ = signal(number, SIG_DFL)
            }
        }
    }

    /// The calling thread runs this seed from now on.
    static func begin(_ seed: UInt64, worker: Int) {
        unsafe slots[worker] = Slot(thread: UInt(pthread_self()), seed: seed)
    }

    private static func tell() {
        let thread = UInt(pthread_self())
        for index in unsafe slots.indices {
            let slot = unsafe slots[index]
            guard slot.thread == thread else { continue }
            // Neither allocates nor locks.
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
