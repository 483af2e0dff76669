public import Formatting

/// One log line under construction: a flat JSON object in a buffer with room for the longest line.
///
/// It begins with `timestamp`, `level` and `msg`; fields follow in the order of writing. Field names must need no
/// escape and should be distinct. Values are UTF-8 or become so; a long value is cut and ends in `…`. A field that
/// would exceed the line's limit is omitted with all later ones, and the line has `"truncated":true`.
///
/// The functions that a request's line uses are inlined: copying a name of known length then needs no call.
public struct LogLine: ~Copyable, ~Escapable {
    /// The longest line, including its newline: Docker splits at 16 KiB, and agents wrap a line in JSON of their own.
    public static let byteLimit = 8192
    /// The longest value, counted before escaping, including the mark of a cut.
    public static let valueByteLimit = 1024
    /// Bytes that the three leading fields and the caller's fields may have together.
    @usableFromInline static let fieldsByteLimit = byteLimit - LogTail.byteLimit - ending.utf8CodeUnitCount
    private static let ending: StaticString = ",\"truncated\":true}\n"
    /// The longest name of a field: twice the limit of a log query, since a name that is in use gets a mark appended.
    static let nameByteLimit = 128
    /// A field that exceeds the limit is written and then removed, so there is room for one more of the longest kind:
    /// an escape has six bytes.
    static let capacity = byteLimit + valueByteLimit * 6 + nameByteLimit + 6

    @usableFromInline var output: OutputSpan<UInt8>
    @usableFromInline var isTruncated = false

    /// Appends a line to `bytes`, including its newline.
    ///
    /// - Parameters:
    ///   - isPlain: whether the message is known to be ASCII that needs no escape, within the limit of a value.
    ///   - seconds: wall clock, since 1970-01-01T00:00:00Z.
    ///   - nanoseconds: 0 ..< 1,000,000,000 beyond `seconds`.
    ///   - fields: writes the fields between `msg` and the tail.
    static func append(
        to bytes: inout [UInt8], level: LogLevel, message: Span<UInt8>, isPlain: Bool = false, stamp: inout LogStamp,
        seconds: Int, nanoseconds: Int, tail: Span<UInt8>, _ fields: (inout LogLine) -> Void
    ) {
        bytes.append(addingCapacity: capacity) { output in
            var line = LogLine(consume output)
            line.begin(level: level, stamp: &stamp, seconds: seconds, nanoseconds: nanoseconds)
            if isPlain { line.output.append(plainLogValue: message) } else { line.output.append(logValue: message) }
            fields(&line)
            output = line.end(tail: tail)
        }
    }

    @_lifetime(copy output)
    private init(_ output: consuming OutputSpan<UInt8>) {
        self.output = output
    }

    /// Writes everything before the message.
    private mutating func begin(level: LogLevel, stamp: inout LogStamp, seconds: Int, nanoseconds: Int) {
        output.append(literal: "{\"timestamp\":\"")
        stamp.append(to: &output, seconds: seconds, nanoseconds: nanoseconds)
        output.append(literal: "\",\"level\":\"")
        output.append(literal: level.name)
        output.append(literal: "\",\"msg\":")
    }

    /// Writes text of external origin: bytes that are not UTF-8 become U+FFFD.
    @_lifetime(self: copy self)
    public mutating func field(_ name: StaticString, utf8: Span<UInt8>) {
        guard let mark = open(name) else { return }
        output.append(logValue: utf8)
        close(mark)
    }

    public mutating func field(_ name: StaticString, _ text: String) {
        guard let mark = open(name) else { return }
        output.append(logValue: text)
        close(mark)
    }

    /// Writes ASCII that needs no escape, within the limit of a value.
    @inlinable
    @inline(__always)
    @_lifetime(self: copy self)
    public mutating func field(_ name: StaticString, plain text: Span<UInt8>) {
        precondition(text.count <= Self.valueByteLimit, "a value above the byte limit")
        guard let mark = open(name) else { return }
        output.append(plainLogValue: text)
        close(mark)
    }

    /// Writes text that `write` appends: at most `byteLimit` bytes of ASCII that need no escape.
    @inlinable
    @inline(__always)
    public mutating func field(
        _ name: StaticString, plain byteLimit: Int, _ write: (inout OutputSpan<UInt8>) -> Void
    ) {
        precondition(byteLimit <= Self.valueByteLimit, "a value of \(byteLimit) bytes")
        guard let mark = open(name) else { return }
        output.append(0x22)
        write(&output)
        output.append(0x22)
        close(mark)
    }

    @inlinable
    @inline(__always)
    public mutating func field(_ name: StaticString, _ value: Int) {
        guard let mark = open(name) else { return }
        output.append(decimal: value)
        close(mark)
    }

    public mutating func field(_ name: StaticString, _ value: Bool) {
        guard let mark = open(name) else { return }
        if value { output.append(literal: "true") } else { output.append(literal: "false") }
        close(mark)
    }

    /// Writes a duration as milliseconds with three decimals: 412,345 ns is `0.412`.
    @inlinable
    @inline(__always)
    public mutating func field(_ name: StaticString, milliseconds nanoseconds: UInt64) {
        guard let mark = open(name) else { return }
        output.append(millisecondsOf: nanoseconds)
        close(mark)
    }

    /// Writes a field whose name is created at run time; it must consist of `[A-Za-z0-9_]`.
    mutating func field(named name: String, _ text: String) {
        if name.utf8.count > Self.nameByteLimit { isTruncated = true }
        if isTruncated { return }
        let mark = output.count
        output.append(literal: ",\"")
        output.append(span: name.utf8.span)
        output.append(literal: "\":")
        output.append(logValue: text)
        close(mark)
    }

    /// Ends the line, including its newline.
    @_lifetime(copy self)
    private consuming func end(tail: Span<UInt8>) -> OutputSpan<UInt8> {
        output.append(span: tail)
        if isTruncated { output.append(literal: Self.ending) } else { output.append(literal: "}\n") }
        return output
    }

    /// The start of the field; nil when the line is full.
    @inlinable
    @inline(__always)
    mutating func open(_ name: StaticString) -> Int? {
        if isTruncated { return nil }
        let mark = output.count
        output.append(memberName: name)
        return mark
    }

    @inlinable
    @inline(__always)
    mutating func close(_ mark: Int) {
        if output.count <= Self.fieldsByteLimit { return }
        output.removeLast(output.count - mark)
        isTruncated = true
    }
}
