import Formatting
public import Platform

/// Lines that one thread, usually an event loop's, has written and not yet passed to the sink.
///
/// Appending takes no lock. The owner calls `flush(now:)` at the end of each event loop iteration, and again when
/// `deadline` is due; before the sink closes it sets `force`. The buffer may be created on one thread and then used on
/// another.
public final class LogBuffer {
    /// A buffer of this size is passed on: large enough to justify waking the writer and a write(2), and half of a
    /// pipe's capacity.
    public static let flushByteCount = 32_768
    /// Longest time that a line stays in the buffer: a person who follows the log does not notice it.
    public static let flushInterval = Duration.milliseconds(50)

    /// When the next flush is due, nil when the buffer is empty. Updated by each `flush`.
    public private(set) var deadline: Instant?

    /// Appended to every line from now on.
    public var tail: LogTail

    private let sink: LogSink
    private var stamp = LogStamp()
    private var bytes: [UInt8] = []
    private var lineCount = 0

    init(sink: LogSink, tail: LogTail) {
        self.sink = sink
        self.tail = tail
        bytes.reserveCapacity(Self.flushByteCount + LogLine.capacity)
    }

    /// Appends one line with the fields that `fields` writes, followed by the tail. Never blocks on the output.
    ///
    /// - Parameters:
    ///   - message: ASCII that needs no escape, and not longer than a value may be.
    ///   - seconds: wall clock, since 1970-01-01T00:00:00Z.
    ///   - nanoseconds: 0 ..< 1,000,000,000 beyond `seconds`.
    ///   - fields: must not append to this buffer.
    public func append(
        _ level: LogLevel, _ message: StaticString, seconds: Int, nanoseconds: Int,
        _ fields: (inout LogLine) -> Void
    ) {
        let tail = tail.bytes
        // A StaticString's bytes are part of the binary, and `utf8CodeUnitCount` is their exact count.
        let text = unsafe Span(_unsafeStart: message.utf8Start, count: message.utf8CodeUnitCount)
        assert(
            text.isPlainASCII && text.count <= LogLine.valueByteLimit,
            "a message that is not plain ASCII or is too long")
        LogLine.append(
            to: &bytes, level: level, message: text, isPlain: true, stamp: &stamp, seconds: seconds,
            nanoseconds: nanoseconds, tail: tail.span, fields)
        lineCount += 1
        if bytes.count >= Self.flushByteCount { handOver() }
    }

    /// Passes the lines to the sink if their deadline has passed, or `force` is set. A full buffer was passed on
    /// earlier.
    ///
    /// - Parameter now: never earlier than at the call before.
    public func flush(now: Instant, force: Bool = false) {
        if lineCount == 0 { return }
        if force {
            handOver()
        } else if let deadline {
            if now >= deadline { handOver() }
        } else {
            deadline = now + Self.flushInterval
        }
    }

    private func handOver() {
        sink.enqueue(&bytes, lineCount: lineCount)
        // The returned array may be the writer's first one, or a short one.
        bytes.reserveCapacity(Self.flushByteCount + LogLine.capacity)
        lineCount = 0
        deadline = nil
    }
}
