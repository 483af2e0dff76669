import CLinux
import Glibc
import Reactor

/// Returns freed memory to the kernel, which the C library otherwise keeps.
enum FreedMemory {
    /// From this size on a buffer has pages of its own: an answer or a body that is larger than most.
    private static let largeBufferByteCount: Int32 = 131_072
    /// Interval between two checks.
    private static let returnInterval = Duration.seconds(2)

    /// Makes the memory of large buffers return to the kernel when they are freed. Call it before anything large is
    /// allocated.
    static func returnLargeBuffers() {
        clinux_fix_mmap_threshold(largeBufferByteCount)
    }

    /// Returns the free pages of the heaps to the kernel after each burst, until it is cancelled: otherwise the C
    /// library keeps freed small buffers as long as one above them is in use.
    static func returnRest(while budget: MemoryBudget, on loop: EventLoop) async {
        var trim = HeapTrim(byteCount: privateByteCount ?? 0)
        while !Task.isCancelled {
            await loop.pause(for: returnInterval)
            guard let now = privateByteCount else { return }
            let used = budget.used
            guard trim.isDue(byteCount: now, used: used, of: budget.limit) else { continue }
            clinux_trim_heaps()
            trim.trimmed(byteCount: privateByteCount ?? now, used: used)
        }
    }

    /// Resident memory that is not from a file, from /proc/self/statm.
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
