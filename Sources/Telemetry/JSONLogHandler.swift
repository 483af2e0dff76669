import Glibc
public import Logging

/// Writes swift-log's messages in the format of all other lines, for code outside the request path. Any thread may log.
///
/// `logger` is the label; `error` is the passed error, if any; each metadata entry becomes a field with a string value.
/// Characters of a name outside `[A-Za-z0-9_]` become `_`, and a name that is in use gets a trailing `_`.
public struct JSONLogHandler: LogHandler {
    public var logLevel: Logger.Level
    public var metadata: Logger.Metadata = [:]
    public var metadataProvider: Logger.MetadataProvider?

    private let label: String
    private let sink: LogSink
    private let currentTail: @Sendable () -> LogTail

    /// - Parameter tail: called for each line.
    public init(
        label: String, sink: LogSink, tail: @escaping @autoclosure @Sendable () -> LogTail, level: LogLevel = .info,
        metadataProvider: Logger.MetadataProvider? = nil
    ) {
        self.label = label
        self.sink = sink
        currentTail = tail
        logLevel = level.loggerLevel
        self.metadataProvider = metadataProvider
    }

    public subscript(metadataKey key: String) -> Logger.Metadata.Value? {
        get { metadata[key] }
        set { metadata[key] = newValue }
    }

    public func log(event: LogEvent) {
        let tail = currentTail()
        var time = timespec()
        // `time` is a local variable that outlives the call.
        unsafe clock_gettime(CLOCK_REALTIME, &time)
        var stamp = LogStamp()
        var bytes: [UInt8] = []
        LogLine.append(
            to: &bytes, level: LogLevel(event.level), message: "\(event.message)".utf8.span, stamp: &stamp,
            seconds: time.tv_sec, nanoseconds: time.tv_nsec, tail: tail.bytes.span
        ) { line in
            line.field("logger", label)
            if let error = event.error { line.field("error", "\(error)") }
            writeMetadata(passed: event.metadata, beside: tail, to: &line)
        }
        sink.submit(bytes)
    }

    private func writeMetadata(passed: Logger.Metadata?, beside tail: LogTail, to line: inout LogLine) {
        var fields = metadata
        if let provided = metadataProvider?.get() { fields.merge(provided) { $1 } }
        if let passed { fields.merge(passed) { $1 } }
        var taken = Set(["timestamp", "level", "msg", "logger", "error", "truncated"] + tail.names)
        for (key, value) in fields.sorted(by: { $0.key < $1.key }) {
            var name = Self.fieldName(key)
            while !taken.insert(name).inserted { name += "_" }
            line.field(named: name, "\(value)")
        }
    }

    /// Never empty, and not longer than a log query's field name.
    private static func fieldName(_ key: String) -> String {
        let isPlain = { (byte: UInt8) in
            switch byte {
            case 0x30...0x39, 0x41...0x5A, 0x61...0x7A, 0x5F: true
            default: false
            }
        }
        let name = key.utf8.prefix(64).map { isPlain($0) ? $0 : 0x5F }
        return name.isEmpty ? "_" : String(decoding: name, as: UTF8.self)
    }
}
