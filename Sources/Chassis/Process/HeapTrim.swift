/// When the free pages of the heaps are to be given back to the kernel: after each burst, and once more when the burst went on
/// while that was done, since what was in use then is free now.
struct HeapTrim {
    /// The process has grown by this since the last time.
    static let growthByteCount = 4 * 1_048_576
    /// Of what was in use the last time, this is free.
    static let releaseByteCount = 1_048_576

    private var smallest: Int
    private var usedBefore = 0

    /// - Parameter byteCount: what the process holds before anything was asked of it.
    init(byteCount: Int) {
        smallest = byteCount
    }

    /// Whether it is time. Amid a burst it is not: the pages would be asked for again at once.
    ///
    /// - Parameters:
    ///   - byteCount: what the process holds in no file.
    ///   - used: what its buffers take, of what they may take.
    mutating func isDue(byteCount: Int, used: Int, of limit: Int) -> Bool {
        smallest = min(smallest, byteCount)
        guard used < limit / 2 else { return false }
        return byteCount > smallest + Self.growthByteCount || used <= usedBefore - Self.releaseByteCount
    }

    /// It was done.
    ///
    /// - Parameters:
    ///   - byteCount: what the process holds now.
    ///   - used: what its buffers take.
    mutating func trimmed(byteCount: Int, used: Int) {
        smallest = byteCount
        usedBefore = used
    }
}
