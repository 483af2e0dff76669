import CLinux
import Glibc

/// Ends the waits of threads that block outside the loops, from any thread and for good.
public final class Interruption: Sendable {
    private let descriptor: FileDescriptor

    public init() throws(SystemError) {
        descriptor = FileDescriptor(
            owning: try blockingSystem("eventfd") { eventfd(0, Int32(EFD_NONBLOCK | EFD_CLOEXEC)) })
    }

    /// Begins it; once or more often.
    public func begin() {
        var one: UInt64 = 1
        // Eight bytes of a local; a counter that is full is readable as well.
        _ = unsafe write(descriptor.number, &one, 8)
    }

    /// Whether it has begun.
    public var hasBegun: Bool {
        var watch = pollfd(fd: descriptor.number, events: Int16(POLLIN), revents: 0)
        // One entry, which outlives the call; a limit of 0 never waits.
        return unsafe poll(&watch, 1, 0) == 1
    }

    /// How a wait ended.
    public enum Outcome: Sendable {
        case ready, timedOut, interrupted
    }

    /// Waits until a descriptor is ready for `events` of poll(2); once interrupted, it never waits.
    ///
    /// - Parameter remaining: milliseconds that are left, asked for before each look.
    public static func wait(
        for events: Int32, on number: Int32, unless interruption: Interruption?, remaining: () -> Int32
    ) -> Outcome {
        while true {
            // A negative number is passed over.
            let other = interruption?.descriptor.number ?? -1
            var watches: InlineArray<2, pollfd> = [
                pollfd(fd: number, events: Int16(events), revents: 0),
                pollfd(fd: other, events: Int16(POLLIN), revents: 0),
            ]
            var span = watches.mutableSpan
            let limit = remaining()
            // Two entries, as the count says, that outlive the call.
            let count = unsafe span.withUnsafeMutableBufferPointer { unsafe poll($0.baseAddress, 2, limit) }
            if count < 0 && errno == EINTR { continue }
            if watches[1].revents != 0 { return .interrupted }
            return count > 0 ? .ready : .timedOut
        }
    }
}
