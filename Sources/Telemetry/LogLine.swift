public import Formatting

/// One log line under construction: a flat JSON object in a buffer that has room for the longest line.
///
/// It begins with `timestamp`, `level` and `msg`; fields follow in the order they are written. Field names must need
/// no escape and should differ from each other. Values are UTF-8 or become so; a long one is cut and ends in `…`.
/// When a field would take the line past its limit, it and all later ones are left out, and the line says
/// `"truncated":true`.
///
/// What a request's line is made of is inlined, since the copy of a name whose length is known takes two instructions and no
/// call: a twentieth of `GET /`.
public struct LogLine: ~Copyable, ~Escapable {
    /// The longest line, newline included: Docker splits at 16 KiB, and agents wrap a line in JSON of their own.
    public static let byteLimit = 8192
    /// The longest value, counted before escaping and with the mark of a cut.
    public static let valueByteLimit = 1024
    /// What the three leading fields and the caller's may take together.
    @usableFromInline static let fieldsByteLimit = byteLimit - LogTail.byteLimit - ending.utf8CodeUnitCount
    private static let ending: StaticString = ",\"truncated\":true}\n"
    /// The longest name of a field: twice what a log query may name, since a name that is taken gets a mark behind it.
    static let nameByteLimit = 128
    /// A field is written and taken back when it went past the limit, so there is room for one more of the longest kind:
    /// an escape has six bytes.
    static let capacity = byteLimit + valueByteLimit * 6 + nameByteLimit + 6

    @usableFromInline var output: OutputSpan<UInt8>
    @usableFromInline var isTruncated = false

    /// Appends a line to `bytes`, newline included.
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

    /// Writes all that stands before the message.
    private mutating func begin(level: LogLevel, stamp: inout LogStamp, seconds: Int, nanoseconds: Int) {
        output.append(literal: "{\"timestamp\":\"")
        stamp.append(to: &output, seconds: seconds, nanoseconds: nanoseconds)
        output.append(literal: "\",\"level\":\"")
        output.append(literal: level.name)
        output.append(literal: "\",\"msg\":")
    }

    /// Writes text that came from outside: bytes that are not UTF-8 become U+FFFD.
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
        precondition(text.count <= Self.valueByteLimit, "a value that would be cut")
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

    /// Writes a field whose name is made at run time; it must consist of `[A-Za-z0-9_]`.
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

    /// Ends the line, newline included.
    @_lifetime(copy self)
    private consuming func end(tail: Span<UInt8>) -> OutputSpan<UInt8> {
        output.append(span: tail)
        if isTruncated { output.append(literal: Self.ending) } else { output.append(literal: "}\n") }
        return output
    }

    /// Where the field begins; nil when no more fields are taken.
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
