/// Decides when the free pages of the heaps are returned to the kernel: after each burst, and once more when the burst
/// went on meanwhile, because the memory in use then is free later.
struct HeapTrim {
    /// Growth of the process since the last time.
    static let growthByteCount = 4 * 1_048_576
    /// Freed bytes of what was in use the last time.
    static let releaseByteCount = 1_048_576

    private var smallest: Int
    private var usedBefore = 0

    /// - Parameter byteCount: memory of the process before the first request.
    init(byteCount: Int) {
        smallest = byteCount
    }

    /// Whether it is time. During a burst it is not, because the pages would be allocated again at once.
    ///
    /// - Parameters:
    ///   - byteCount: memory of the process that is not from a file.
    ///   - used: bytes of the buffers in use, out of `limit`.
    mutating func isDue(byteCount: Int, used: Int, of limit: Int) -> Bool {
        smallest = min(smallest, byteCount)
        guard used < limit / 2 else { return false }
        return byteCount > smallest + Self.growthByteCount || used <= usedBefore - Self.releaseByteCount
    }

    /// Records that the pages were returned.
    ///
    /// - Parameters:
    ///   - byteCount: memory of the process now.
    ///   - used: bytes of the buffers in use.
    mutating func trimmed(byteCount: Int, used: Int) {
        smallest = byteCount
        usedBefore = used
    }
}
