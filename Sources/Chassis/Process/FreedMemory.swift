import CLinux
import Glibc
import Reactor

/// What becomes of memory that the process has freed: the C library keeps it unless it is told otherwise.
enum FreedMemory {
    /// From this size on a buffer is pages of its own: an answer or a body that is larger than most.
    private static let largeBufferByteCount: Int32 = 131_072
    /// Between two looks whether it is time, in nanoseconds.
    private static let returnInterval: UInt64 = 2_000_000_000

    /// Before anything large is allocated: makes the memory of large buffers go back to the kernel when they are freed.
    static func returnLargeBuffers() {
        clinux_fix_mmap_threshold(largeBufferByteCount)
    }

    /// Gives the free pages of the heaps back to the kernel after each burst, until it is cancelled: small buffers that
    /// are freed stay with the C library otherwise, for as long as one above them is in use.
    static func returnRest(while budget: MemoryBudget, on loop: EventLoop) async {
        var trim = HeapTrim(byteCount: privateByteCount ?? 0)
        while !Task.isCancelled {
            await loop.pause(nanoseconds: returnInterval)
            guard let now = privateByteCount else { return }
            let used = budget.used
            guard trim.isDue(byteCount: now, used: used, of: budget.limit) else { continue }
            clinux_trim_heaps()
            trim.trimmed(byteCount: privateByteCount ?? now, used: used)
        }
    }

    /// What is resident and in no file, by /proc/self/statm.
    private static var privateByteCount: Int? {
        guard let file = unsafe fopen("/proc/self/statm", "re") else { return nil }
        defer { unsafe fclose(file) }
        var line = [CChar](repeating: 0, count: 128)
        guard unsafe fgets(&line, Int32(line.count), file) != nil else { return nil }
        let fields = String(decoding: line.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self).split(
            separator: " ")
        guard fields.count > 2, let resident = Int(fields[1]), let shared = Int(fields[2]) else { return nil }
        return (resident - shared) * Int(getpagesize())
    }
}
