import Glibc
import Reactor

/// A pipe for log lines, limited by its buffer.
struct LogPipe: ~Copyable {
    private let readEnd: FileDescriptor
    let writeEnd: FileDescriptor

    init() {
        var ends: [Int32] = [0, 0]
        // pipe(2) fills exactly two elements.
        let outcome = unsafe pipe(&ends)
        precondition(outcome == 0, "no pipe")
        readEnd = FileDescriptor(owning: ends[0])
        writeEnd = FileDescriptor(owning: ends[1])
    }

    /// The written lines, without timestamps. Call once, after everything was written.
    func lines() -> [String] {
        _ = fcntl(readEnd.number, F_SETFL, O_NONBLOCK)
        var text: [UInt8] = []
        var chunk = [UInt8](repeating: 0, count: 65_536)
        while true {
            // The count is that of the array.
            let count = unsafe read(readEnd.number, &chunk, chunk.count)
            guard count > 0 else { break }
            text.append(contentsOf: chunk[..<count])
        }
        return String(decoding: text, as: UTF8.self).split(separator: "\n").map { line in
            "{" + line.dropFirst("{\"timestamp\":\"2024-11-01T12:00:00.123Z\",".utf8.count)
        }
    }
}
