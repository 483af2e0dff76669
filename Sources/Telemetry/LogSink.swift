import Formatting
import Glibc
import Platform
import Synchronization

/// Writes the lines of all threads to one descriptor, on a separate thread.
///
/// A thread that logs never waits for the output. Lines go to a bounded queue; lines that do not fit, or that a full
/// disk does not accept, are dropped and counted. Lines of one buffer, or submitted by one thread, are written in
/// order. The process must ignore SIGPIPE. The thread keeps the sink alive until `close()`.
public final class LogSink: Sendable {
    /// Lines accepted and not yet written: about ten thousand access lines, which bridge a pause of the reader and take
    /// little of the memory of the smallest machine.
    public static let queueByteLimit = 4 * 1024 * 1024
    /// The largest array that is kept for reuse between queue, writer and buffers: some buffers of a loop.
    private static let retainedByteLimit = 128 * 1024
    /// Default time limit of `close()`: the output may be a pipe without a reader.
    public static let closeTimeLimit = Duration.seconds(2)

    private struct Queue {
        var bytes: [UInt8] = []
        var lineCount = 0
        /// Lines that the writer has taken and not yet written.
        var inFlight: (byteCount: Int, lineCount: Int) = (0, 0)
        /// No more lines are accepted: the sink was closed, or the reader is gone.
        var isShut = false
        var isClosing = false
        var isFinished = false

        /// Discards all lines; a write in progress cannot be cancelled.
        mutating func abandon() {
            bytes = []
            lineCount = 0
            inFlight.lineCount = 0
        }
    }

    private let descriptor: Int32
    private let byteLimit: Int
    private let queue = Monitor(Queue())
    private let dropped = Atomic<UInt64>(0)

    /// Starts the writer.
    ///
    /// - Parameter descriptor: the caller may close it once `close()` has returned true.
    public init(descriptor: Int32 = 1, queueByteLimit: Int = LogSink.queueByteLimit) throws(LogSinkError) {
        self.descriptor = descriptor
        byteLimit = queueByteLimit
        try startWriter()
    }

    /// Lines lost so far because the queue was full or the output failed. Any thread may read it.
    public var droppedLines: UInt64 { dropped.load(ordering: .relaxed) }

    /// A buffer for one thread.
    ///
    /// - Parameter tail: appended to every line of that buffer.
    public func makeBuffer(tail: LogTail) -> sending LogBuffer {
        LogBuffer(sink: self, tail: tail)
    }

    /// Takes one whole line, including its newline, from any thread: for infrequent lines.
    public func submit(_ line: [UInt8]) {
        var bytes = line
        enqueue(&bytes, lineCount: 1)
    }

    /// Writes the accepted lines and ends the writer. Later lines are dropped and counted; so are those still in a
    /// `LogBuffer`, whose owner must flush it first.
    ///
    /// - Parameter timeLimit: lines that are not written by then are dropped and counted.
    /// - Returns: false when the limit was reached; then the writer may use the descriptor for the rest of the process.
    @discardableResult
    public func close(timeLimit: Duration = LogSink.closeTimeLimit) -> Bool {
        queue.change { queue in
            queue.isClosing = true
            queue.isShut = true
        }
        let deadline = Instant.now + timeLimit
        if queue.wait(until: \.isFinished, deadline: deadline, then: { _ in true }) == true { return true }
        let lostLines = queue.change { queue in
            defer { queue.abandon() }
            return queue.lineCount + queue.inFlight.lineCount
        }
        drop(lostLines)
        return false
    }

    /// Takes whole lines, and leaves the array empty.
    func enqueue(_ bytes: inout [UInt8], lineCount: Int) {
        let isAccepted = queue.change { queue in
            if queue.isShut || queue.bytes.count + queue.inFlight.byteCount + bytes.count > byteLimit { return false }
            // Usually the writer has taken the previous lines: then the arrays are swapped, and nothing is copied.
            if queue.bytes.isEmpty { swap(&queue.bytes, &bytes) } else { queue.bytes.append(contentsOf: bytes) }
            queue.lineCount += lineCount
            return true
        }
        if !isAccepted { drop(lineCount) }
        bytes.removeAll(keepingCapacity: true)
    }

    private func drop(_ lineCount: Int) {
        dropped.wrappingAdd(UInt64(lineCount), ordering: .relaxed)
    }
}

/// Why a sink could not be created.
public enum LogSinkError: Error, Equatable {
    /// The system could not create a thread; the number is pthread_create's.
    case noThread(errno: Int32)
}

// The writer thread.
extension LogSink {
    private func startWriter() throws(LogSinkError) {
        // `isFinished` tells when it ended: a thread that is stuck in write(2) could not be waited for.
        do throws(Thread.NoThread) { try Thread.start { self.writeUntilClosed() } } catch {
            throw .noThread(errno: error.errno)
        }
    }

    private func writeUntilClosed() {
        // Swapped with the queue's array each time, so that both keep their storage.
        var batch: [UInt8] = []
        /// The output ends with a part of a line, because the disk was full.
        var isCutOff = false
        while true {
            let hasWork: (Queue) -> Bool = { !$0.bytes.isEmpty || $0.isClosing }
            _ = queue.wait(until: hasWork) { queue in
                swap(&queue.bytes, &batch)
                queue.inFlight = (batch.count, queue.lineCount)
                queue.lineCount = 0
            }
            if batch.isEmpty { break }
            // Without the newline the next line would be lost too, because it would follow the part.
            if isCutOff { batch.insert(0x0A, at: 0) }
            let (written, isClosed) = write(batch)
            // A line that was cut off counts as lost; the newline in front ends no line.
            drop(batch[max(written, isCutOff ? 1 : 0)...].count { $0 == 0x0A })
            if written > 0 { isCutOff = batch[written - 1] != 0x0A }
            // Memory from a pause of the reader is released.
            if batch.capacity > Self.retainedByteLimit { batch = [] } else { batch.removeAll(keepingCapacity: true) }
            queue.change { queue in
                queue.inFlight = (0, 0)
                if isClosed { queue.isShut = true }
            }
        }
        queue.change { $0.isFinished = true }
    }

    /// Writes as much as possible, waiting without a limit.
    private func write(_ bytes: [UInt8]) -> (byteCount: Int, isClosed: Bool) {
        var written = 0
        while written < bytes.count {
            // The pointer is used within the closure, and `written` is below `count`.
            let count = unsafe bytes.withUnsafeBytes { buffer in
                let rest = unsafe UnsafeRawBufferPointer(rebasing: buffer[written...])
                return unsafe Glibc.write(descriptor, rest.baseAddress, rest.count)
            }
            if count >= 0 {
                written += count
                continue
            }
            switch errno {
            case EINTR: continue
            case EAGAIN:
                // Another process that shares the terminal or pipe may have made it non-blocking.
                var poll = pollfd(fd: descriptor, events: Int16(POLLOUT), revents: 0)
                _ = unsafe Glibc.poll(&poll, 1, -1)
            case EBADF: return (written, true)
            // A full disk may have room again later, and a named pipe another reader.
            default: return (written, false)
            }
        }
        return (written, false)
    }
}
