import Formatting

/// One log line under construction: a flat JSON object, appended to the lines already in a buffer.
///
/// It begins with `timestamp`, `level` and `msg`; fields follow in the order they are written. Field names must need
/// no escape and should differ from each other. Values are UTF-8 or become so; a long one is cut and ends in `…`.
/// When a field would take the line past its limit, it and all later ones are left out, and the line says
/// `"truncated":true`.
public struct LogLine: ~Copyable {
    /// The longest line, newline included: Docker splits at 16 KiB, and agents wrap a line in JSON of their own.
    public static let byteLimit = 8192
    /// The longest value, counted before escaping and with the mark of a cut.
    public static let valueByteLimit = 1024
    /// What the three leading fields and the caller's may take together.
    private static let fieldsByteLimit = byteLimit - LogTail.byteLimit - ending.utf8CodeUnitCount
    private static let ending: StaticString = ",\"truncated\":true}\n"

    private var bytes: [UInt8]
    private let start: Int
    private var isTruncated = false

    /// Begins a line after `bytes`, which come back from `end(tail:)` with the line behind them.
    ///
    /// - Parameters:
    ///   - seconds: wall clock, since 1970-01-01T00:00:00Z.
    ///   - nanoseconds: 0 ..< 1,000,000,000 beyond `seconds`.
    public init(
        appendingTo bytes: consuming [UInt8], level: LogLevel, message: StaticString, stamp: inout LogStamp,
        seconds: Int, nanoseconds: Int
    ) {
        start = bytes.count
        self.bytes = consume bytes
        begin(level: level, stamp: &stamp, seconds: seconds, nanoseconds: nanoseconds)
        // A StaticString's bytes live in the binary, and `utf8CodeUnitCount` is their exact count.
        let text = unsafe Span(_unsafeStart: message.utf8Start, count: message.utf8CodeUnitCount)
        self.bytes.append(logValue: text, mayBeInvalid: false)
    }

    /// Begins a line whose message is made at run time.
    public init(
        appendingTo bytes: consuming [UInt8], level: LogLevel, message: String, stamp: inout LogStamp,
        seconds: Int, nanoseconds: Int
    ) {
        start = bytes.count
        self.bytes = consume bytes
        begin(level: level, stamp: &stamp, seconds: seconds, nanoseconds: nanoseconds)
        self.bytes.append(logValue: message)
    }

    private mutating func begin(level: LogLevel, stamp: inout LogStamp, seconds: Int, nanoseconds: Int) {
        bytes.append(literal: "{\"timestamp\":\"")
        stamp.append(to: &bytes, seconds: seconds, nanoseconds: nanoseconds)
        bytes.append(literal: "\",\"level\":\"")
        bytes.append(literal: level.name)
        bytes.append(literal: "\",\"msg\":")
    }

    /// Writes text that came from outside: bytes that are not UTF-8 become U+FFFD.
    public mutating func field(_ name: StaticString, utf8: Span<UInt8>) {
        guard let mark = open(name) else { return }
        bytes.append(logValue: utf8, mayBeInvalid: true)
        close(mark)
    }

    public mutating func field(_ name: StaticString, _ text: String) {
        guard let mark = open(name) else { return }
        bytes.append(logValue: text)
        close(mark)
    }

    public mutating func field(_ name: StaticString, _ value: Int) {
        guard let mark = open(name) else { return }
        bytes.append(decimal: value)
        close(mark)
    }

    public mutating func field(_ name: StaticString, _ value: Bool) {
        guard let mark = open(name) else { return }
        if value { bytes.append(literal: "true") } else { bytes.append(literal: "false") }
        close(mark)
    }

    /// Writes a duration as milliseconds with three decimals: 412,345 ns is `0.412`.
    public mutating func field(_ name: StaticString, milliseconds nanoseconds: UInt64) {
        guard let mark = open(name) else { return }
        bytes.append(millisecondsOf: nanoseconds)
        close(mark)
    }

    /// Writes a field whose name is made at run time; it must consist of `[A-Za-z0-9_]`.
    mutating func field(named name: String, _ text: String) {
        if isTruncated { return }
        let mark = bytes.count
        bytes.append(literal: ",\"")
        bytes.append(contentsOf: name.utf8)
        bytes.append(literal: "\":")
        bytes.append(logValue: text)
        close(mark)
    }

    /// Ends the line, newline included, and gives back all bytes.
    public consuming func end(tail: LogTail) -> [UInt8] {
        bytes.append(contentsOf: tail.bytes)
        if isTruncated { bytes.append(literal: Self.ending) } else { bytes.append(literal: "}\n") }
        return bytes
    }

    /// Where the field begins; nil when no more fields are taken.
    private mutating func open(_ name: StaticString) -> Int? {
        if isTruncated { return nil }
        let mark = bytes.count
        bytes.append(memberName: name)
        return mark
    }

    private mutating func close(_ mark: Int) {
        if bytes.count - start <= Self.fieldsByteLimit { return }
        bytes.removeLast(bytes.count - mark)
        isTruncated = true
    }
}
