import Formatting
import Reactor

/// The value of Date, rendered once a second.
struct DateField {
    private var clock = WallClock()
    private var second: UInt64 = 0
    private var rendered: [UInt8] = []

    /// The IMF-fixdate of a moment on the monotonic clock: 29 bytes.
    mutating func bytes(at now: UInt64) -> [UInt8] {
        let current = clock.utc(now) / 1_000_000_000
        if current != second {
            second = current
            rendered.removeAll(keepingCapacity: true)
            rendered.append(imfFixdate: CivilTime(secondsSinceEpoch: Int(current)))
        }
        return rendered
    }
}
