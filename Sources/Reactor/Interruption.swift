import CLinux
import Glibc

/// Permanently interrupts the waits of threads that block outside the loops. Safe to use from any thread.
public final class Interruption: Sendable {
    private let descriptor: FileDescriptor

    public init() throws(SystemError) {
        descriptor = FileDescriptor(
            owning: try blockingSystem("eventfd") { eventfd(0, Int32(EFD_NONBLOCK | EFD_CLOEXEC)) })
    }

    /// Interrupts all waits, current and future. May be called more than once.
    public func begin() {
        var one: UInt64 = 1
        // Writes the eight bytes of a local; a full counter is readable too.
        _ = unsafe write(descriptor.number, &one, 8)
    }

    /// Whether `begin` has been called.
    public var hasBegun: Bool {
        var watch = pollfd(fd: descriptor.number, events: Int16(POLLIN), revents: 0)
        // One entry that outlives the call; with a timeout of 0 the call does not wait.
        return unsafe poll(&watch, 1, 0) == 1
    }

    /// How a wait ended.
    public enum Outcome: Sendable {
        case ready, timedOut, interrupted
    }

    /// Waits until a descriptor is ready for the poll(2) events `events`. Returns at once after an interruption.
    ///
    /// - Parameter remaining: milliseconds left; called before each poll(2).
    public static func wait(
        for events: Int32, on number: Int32, unless interruption: Interruption?, remaining: () -> Int32
    ) -> Outcome {
        while true {
            // poll(2) ignores a negative descriptor.
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
