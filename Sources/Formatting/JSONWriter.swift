/// JSON (RFC 8259), written left to right into one buffer; the writer places the commas.
///
/// Nothing checks that objects and arrays are closed in order: the caller's code shows it. Text is taken as UTF-8
/// and only escaped, so bytes that are not UTF-8 come out as they went in.
public struct JSONWriter {
    /// What was written so far.
    public var bytes: [UInt8]
    /// Whether a value was written since the innermost bracket was opened.
    @usableFromInline var needsComma = false

    @inlinable
    public init(reserving capacity: Int = 0) {
        bytes = []
        if capacity > 0 { bytes.reserveCapacity(capacity) }
    }

    /// Goes on after `bytes`, which stay as they are.
    @inlinable
    public init(appendingTo bytes: consuming [UInt8]) {
        self.bytes = bytes
    }

    @inlinable
    public mutating func beginObject() {
        separate()
        bytes.append(0x7B)
        needsComma = false
    }

    @inlinable
    public mutating func endObject() {
        bytes.append(0x7D)
        needsComma = true
    }

    @inlinable
    public mutating func beginArray() {
        separate()
        bytes.append(0x5B)
        needsComma = false
    }

    @inlinable
    public mutating func endArray() {
        bytes.append(0x5D)
        needsComma = true
    }

    /// Writes a member's name, which must need no escape; its value comes next.
    @inlinable
    public mutating func key(_ name: StaticString) {
        separate()
        bytes.append(0x22)
        bytes.append(literal: name)
        bytes.append(0x22)
        bytes.append(0x3A)
        needsComma = false
    }

    @inlinable
    public mutating func null() {
        separate()
        bytes.append(literal: "null")
    }

    @inlinable
    public mutating func value(_ value: Bool) {
        separate()
        if value { bytes.append(literal: "true") } else { bytes.append(literal: "false") }
    }

    @inlinable
    public mutating func value(_ value: Int64) {
        separate()
        bytes.append(decimal: value)
    }

    @inlinable
    public mutating func value(_ value: Int) {
        separate()
        bytes.append(decimal: value)
    }

    /// Writes a duration as milliseconds with three decimals.
    @inlinable
    public mutating func value(millisecondsOf nanoseconds: UInt64) {
        separate()
        bytes.append(millisecondsOf: nanoseconds)
    }

    @inlinable
    public mutating func value(_ text: String) {
        separate()
        bytes.append(0x22)
        bytes.append(jsonEscaped: text)
        bytes.append(0x22)
    }

    @inlinable
    public mutating func value(_ text: String?) {
        if let text { value(text) } else { null() }
    }

    /// Writes a string whose UTF-8 bytes are given.
    @inlinable
    public mutating func value(utf8: Span<UInt8>) {
        separate()
        bytes.append(0x22)
        bytes.append(jsonEscaped: utf8)
        bytes.append(0x22)
    }

    /// Writes `"2024-11-01T12:00:00.000000Z"`.
    @inlinable
    public mutating func value(timestampMicroseconds microseconds: Int64) {
        separate()
        bytes.append(0x22)
        bytes.append(timestampMicroseconds: microseconds)
        bytes.append(0x22)
    }

    @inlinable
    mutating func separate() {
        if needsComma { bytes.append(0x2C) }
        needsComma = true
    }
}

extension [UInt8] {
    /// Appends UTF-8 text with quotes, backslashes and control characters escaped (RFC 8259 §7), without the quotes around it.
    @inlinable
    public mutating func append(jsonEscaped utf8: Span<UInt8>) {
        // Runs without an escape are copied whole; nearly every text is one run.
        var start = 0
        for index in utf8.indices {
            let byte = utf8[index]
            if byte >= 0x20 && byte != 0x22 && byte != 0x5C { continue }
            append(span: utf8.extracting(start..<index))
            append(escapeOf: byte)
            start = index + 1
        }
        append(span: utf8.extracting(start..<utf8.count))
    }

    @inlinable
    public mutating func append(jsonEscaped text: String) {
        var text = text
        text.withUTF8 { unsafe append(jsonEscaped: Span(_unsafeElements: $0)) }
    }

    /// Appends the escape of one byte that may not stand in a JSON string as it is.
    @usableFromInline
    mutating func append(escapeOf byte: UInt8) {
        append(0x5C)
        switch byte {
        case 0x22, 0x5C: append(byte)
        case 0x08: append(0x62)
        case 0x09: append(0x74)
        case 0x0A: append(0x6E)
        case 0x0C: append(0x66)
        case 0x0D: append(0x72)
        default:
            append(literal: "u00")
            append(hexDigit: byte >> 4)
            append(hexDigit: byte & 0x0F)
        }
    }

    /// Appends the lower-case digit of 0…15.
    @inlinable
    public mutating func append(hexDigit value: UInt8) {
        append(value < 10 ? 0x30 + value : 0x57 + value)
    }
}
