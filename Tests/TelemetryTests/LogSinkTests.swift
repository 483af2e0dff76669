import Glibc
import Logging
import Platform
import Synchronization
import Telemetry
import Testing

struct LogSinkTests {
    private let pipe = Pipe()

    @Test func `writes every line in the order of its buffer`() async throws {
        let sink = try LogSink(descriptor: pipe.writeEnd)
        let reader = pipe.startReading()
        await withTaskGroup { group in
            for name in ["a", "b"] {
                group.addTask {
                    let buffer = sink.makeBuffer(tail: LogTail(["loop": name]))
                    for number in 0..<2000 { buffer.append(number) }
                    buffer.flush(now: Instant(nanoseconds: 0), force: true)
                }
            }
        }
        sink.close()
        pipe.closeWriteEnd()
        let lines = reader.text().split(separator: "\n")
        for name in ["a", "b"] {
            let own = lines.filter { $0.hasSuffix("\"loop\":\"\(name)\"}") }
            let isInOrder = own.enumerated().allSatisfy { number, line in line.contains("\"number\":\(number),") }
            #expect(own.count == 2000)
            #expect(isInOrder)
        }
        #expect(lines.count == 4000)
        #expect(sink.droppedLines == 0)
    }

    @Test func `holds lines back until their deadline`() throws {
        let sink = try LogSink(descriptor: pipe.writeEnd)
        let buffer = sink.makeBuffer(tail: LogTail())
        buffer.flush(now: Instant(nanoseconds: 5))
        #expect(buffer.deadline == nil)
        buffer.append(1)
        buffer.flush(now: Instant(nanoseconds: 10))
        #expect(buffer.deadline == Instant(nanoseconds: 50_000_010))
        buffer.append(2)
        buffer.flush(now: Instant(nanoseconds: 50_000_009))
        #expect(buffer.deadline == Instant(nanoseconds: 50_000_010))
        buffer.flush(now: Instant(nanoseconds: 50_000_010))
        #expect(buffer.deadline == nil)
        sink.close()
        pipe.closeWriteEnd()
        #expect(pipe.startReading().text().split(separator: "\n").count == 2)
    }

    @Test func `drops and counts lines while a stalled reader leaves no room`() throws {
        let sink = try LogSink(descriptor: pipe.writeEnd, queueByteLimit: 40_000)
        let buffer = sink.makeBuffer(tail: LogTail())
        var count = 0
        while sink.droppedLines == 0 {
            buffer.append(count)
            count += 1
        }
        buffer.flush(now: Instant(nanoseconds: 0), force: true)
        let reader = pipe.startReading()
        sink.close()
        pipe.closeWriteEnd()
        let lines = reader.text().split(separator: "\n")
        #expect(lines.count + Int(sink.droppedLines) == count)
        #expect(lines.allSatisfy { $0.hasPrefix("{") && $0.hasSuffix("}") })
    }

    @Test func `a full buffer is submitted before its deadline`() throws {
        let sink = try LogSink(descriptor: pipe.writeEnd)
        let buffer = sink.makeBuffer(tail: LogTail())
        // A line has about 80 bytes.
        for number in 0..<LogBuffer.flushByteCount / 40 { buffer.append(number) }
        // A byte arrives although flush was not called.
        #expect(pipe.awaitByte())
        sink.close()
    }

    @Test func `bytes that the writer holds count as queued`() throws {
        let sink = try LogSink(descriptor: pipe.writeEnd, queueByteLimit: 100_000)
        sink.submit([UInt8](repeating: 0x78, count: 89_999) + [0x0A])
        // The writer has it, but the pipe has no room for all of it.
        #expect(pipe.awaitByte())
        sink.submit([UInt8](repeating: 0x78, count: 49_999) + [0x0A])
        #expect(sink.droppedLines == 1)
        #expect(!sink.close(timeLimit: .milliseconds(1)))
        #expect(sink.droppedLines == 2)
        pipe.closeReadEnd()
    }

    @Test func `does not wait for a stalled reader for ever`() throws {
        let sink = try LogSink(descriptor: pipe.writeEnd)
        let line = [UInt8](repeating: 0x78, count: 99_999) + [0x0A]
        for _ in 0..<3 { sink.submit(line) }
        #expect(!sink.close(timeLimit: .milliseconds(1)))
        #expect(sink.droppedLines == 3)
        sink.submit(line)
        #expect(sink.droppedLines == 4)
        pipe.closeReadEnd()
    }

    @Test func `gives up quietly when the reader is gone`() throws {
        let sink = try LogSink(descriptor: pipe.writeEnd)
        pipe.closeReadEnd()
        sink.submit(Array("first\n".utf8))
        sink.close()
        #expect(sink.droppedLines == 1)
        sink.submit(Array("second\n".utf8))
        #expect(sink.droppedLines == 2)
    }

    @Test func `resumes writing once a full disk has room`() throws {
        // The same descriptor throughout; it refers first to a device that is always full, then to the pipe.
        // The literal's bytes are static.
        let descriptor = unsafe open("/dev/full", O_WRONLY | O_CLOEXEC)
        #expect(descriptor >= 0)
        let sink = try LogSink(descriptor: descriptor)
        for count in 1...3 {
            sink.submit(Array("lost\n".utf8))
            #expect(isReached { sink.droppedLines == UInt64(count) })
        }
        dup2(pipe.writeEnd, descriptor)
        _ = fcntl(descriptor, F_SETFD, FD_CLOEXEC)
        sink.submit(Array("kept\n".utf8))
        #expect(sink.close())
        close(descriptor)
        pipe.closeWriteEnd()
        #expect(pipe.startReading().text() == "kept\n")
        #expect(sink.droppedLines == 3)
    }

    @Test func `limits the bytes of a queue that is not emptied, for any number of lines`() throws {
        let sink = try LogSink(descriptor: pipe.writeEnd, queueByteLimit: 1_000_000)
        let line = [UInt8](repeating: 0x78, count: 299_999) + [0x0A]
        for _ in 0..<5 { sink.submit(line) }
        // The writer holds its bytes until they are written, which the pipe prevents.
        #expect(sink.droppedLines == 2)
        let reader = pipe.startReading()
        sink.close()
        pipe.closeWriteEnd()
        #expect(reader.text().utf8.count == 900_000)
    }

    @Test func `waits on a non-blocking descriptor`() throws {
        let sink = try LogSink(descriptor: pipe.writeEnd)
        pipe.makeWriteEndNonBlocking()
        let line = [UInt8](repeating: 0x78, count: 199_999) + [0x0A]
        for _ in 0..<3 { sink.submit(line) }
        let reader = pipe.startReading()
        sink.close()
        pipe.closeWriteEnd()
        #expect(reader.text().utf8.count == 600_000)
        #expect(sink.droppedLines == 0)
    }

    @Test func `writes swift-log's lines in the same form as all others`() throws {
        let sink = try LogSink(descriptor: pipe.writeEnd)
        var logger = Logger(label: "items.pool") { label in
            JSONLogHandler(label: label, sink: sink, tail: LogTail(["environment": "prod"]), level: .debug)
        }
        logger[metadataKey: "pool"] = "main"
        logger.trace("not written")
        logger.notice(
            "a \"quoted\" word", metadata: ["db-host": "a", "db.host": "b", "level": "7", "level_": "8", "n": "\(5)"])
        logger.critical("gone", error: Gone())
        sink.close()
        pipe.closeWriteEnd()
        let lines = pipe.startReading().text().split(separator: "\n").map { $0.dropFirst(40) }
        #expect(
            lines == [
                #""level":"INFO","msg":"a \"quoted\" word","logger":"items.pool","db_host":"a","db_host_":"b","#
                    + #""level_":"7","level__":"8","n":"5","pool":"main","environment":"prod"}"#,
                #""level":"CRITICAL","msg":"gone","logger":"items.pool","error":"Gone()","pool":"main","#
                    + #""environment":"prod"}"#,
            ])
    }

    @Test func `traps when a line is begun inside another`() async {
        await #expect(processExitsWith: .failure) {
            let buffer = try LogSink().makeBuffer(tail: LogTail())
            buffer.append(.info, "outer", seconds: 0, nanoseconds: 0) { _ in buffer.append(1) }
        }
    }
}

private struct Gone: Error {}

/// Whether the condition becomes true within 10 s.
private func isReached(_ condition: () -> Bool) -> Bool {
    let end = ContinuousClock.now + .seconds(10)
    while !condition() {
        if ContinuousClock.now > end { return false }
        sched_yield()
    }
    return true
}

extension LogBuffer {
    fileprivate func append(_ number: Int) {
        append(.info, "Line", seconds: 1_730_462_400, nanoseconds: 0) { $0.field("number", number) }
    }
}

/// A pipe whose ends are closed explicitly: a sink that gave up may still be writing after its test, and must not write
/// to another test's descriptor.
private struct Pipe: Sendable {
    let writeEnd: Int32
    private let readEnd: Int32

    init() {
        // write(2) then reports a broken pipe as an error, as in the service.
        _ = signal(SIGPIPE, SIG_IGN)
        var ends: [Int32] = [0, 0]
        // pipe(2) fills exactly two elements.
        let outcome = unsafe Glibc.pipe(&ends)
        precondition(outcome == 0, "no pipe")
        (readEnd, writeEnd) = (ends[0], ends[1])
        for end in ends { _ = fcntl(end, F_SETFD, FD_CLOEXEC) }
    }

    /// Returns once the pipe has no reader: a child process of another test holds a copy until it runs its program.
    func closeReadEnd() {
        close(readEnd)
        var watch = pollfd(fd: writeEnd, events: 0, revents: 0)
        // One entry that outlives the call; errors are always reported.
        let count = unsafe poll(&watch, 1, 10_000)
        precondition(count == 1 && watch.revents & Int16(POLLERR) != 0, "the pipe still has a reader")
    }

    /// Reads the first byte that arrives; false if none does within 10 s.
    func awaitByte() -> Bool {
        var watch = pollfd(fd: readEnd, events: Int16(POLLIN), revents: 0)
        var byte: UInt8 = 0
        // One entry and one byte, which outlive the calls.
        let count = unsafe poll(&watch, 1, 10_000)
        return unsafe count == 1 && read(readEnd, &byte, 1) == 1
    }

    func closeWriteEnd() {
        close(writeEnd)
    }

    func makeWriteEndNonBlocking() {
        _ = fcntl(writeEnd, F_SETFL, O_WRONLY | O_NONBLOCK)
    }

    /// Reads until the write end is closed, then closes the read end. Uses a separate thread, because a blocking read
    /// would occupy one of the few threads that all tests share.
    func startReading() -> Reader {
        Reader(readEnd)
    }
}

private final class Reader: Sendable {
    private let descriptor: Int32
    private let bytes = Mutex<[UInt8]>([])
    private let thread = Mutex(pthread_t())

    init(_ descriptor: Int32) {
        self.descriptor = descriptor
        var thread = pthread_t()
        // The thread takes over the reference; `thread` is a local that outlives the call.
        let outcome = unsafe pthread_create(
            &thread, nil,
            { context in
                guard let context = unsafe context else { preconditionFailure("no reader") }
                unsafe Unmanaged<Reader>.fromOpaque(context).takeRetainedValue().readAll()
                return nil
            }, Unmanaged.passRetained(self).toOpaque())
        precondition(outcome == 0, "no thread")
        self.thread.withLock { $0 = thread }
    }

    /// All bytes read; waits for the end of the stream. Call once.
    func text() -> String {
        pthread_join(thread.withLock { $0 }, nil)
        return bytes.withLock { String(decoding: $0, as: UTF8.self) }
    }

    private func readAll() {
        var chunk = [UInt8](repeating: 0, count: 65_536)
        while true {
            // The pointer is used within the closure, with its count.
            let count = unsafe chunk.withUnsafeMutableBytes { unsafe read(descriptor, $0.baseAddress, $0.count) }
            if count <= 0 { break }
            bytes.withLock { $0.append(contentsOf: chunk[..<count]) }
        }
        close(descriptor)
    }
}
