/// Writes JSON (RFC 8259) from left to right into one buffer and places the commas.
///
/// It does not check that objects and arrays are closed in order. Text is taken as UTF-8 and only escaped; bytes that
/// are not UTF-8 are written unchanged.
public struct JSONWriter {
    /// The bytes written so far.
    public var bytes: [UInt8]
    /// Whether a value was written since the innermost bracket was opened.
    @usableFromInline var needsComma = false

    @inlinable
    public init(reserving capacity: Int = 0) {
        bytes = []
        if capacity > 0 { bytes.reserveCapacity(capacity) }
    }

    /// Continues after `bytes`, which stay unchanged.
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

    /// Writes a member's name, which must need no escape; its value follows.
    @inlinable
    public mutating func key(_ name: StaticString) {
        let isFirst = !needsComma
        bytes.append(addingCapacity: name.utf8CodeUnitCount + 4) { output in
            if !isFirst { output.append(0x2C) }
            output.append(0x22)
            output.append(literal: name)
            output.append(0x22)
            output.append(0x3A)
        }
        needsComma = false
    }

    /// Writes a member's name of any text; its value follows.
    public mutating func key(named name: String) {
        value(name)
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
        var text = text
        // The buffer outlives the closure's call, and the span does not escape it.
        text.withUTF8 { value(utf8: unsafe Span(_unsafeElements: $0)) }
    }

    @inlinable
    public mutating func value(_ text: String?) {
        if let text { value(text) } else { null() }
    }

    /// Writes a string given as UTF-8 bytes.
    @inlinable
    public mutating func value(utf8: Span<UInt8>) {
        separate()
        bytes.append(jsonString: utf8)
    }

    /// Writes `"2024-11-01T12:00:00.000000Z"`.
    @inlinable
    public mutating func value(timestampMicroseconds microseconds: Int64) {
        separate()
        bytes.append(0x22)
        bytes.append(timestampMicroseconds: microseconds)
        bytes.append(0x22)
    }

    /// Writes a value in place and checks the room once.
    ///
    /// - Parameter byteCount: upper bound for its bytes.
    @inlinable
    public mutating func value(upTo byteCount: Int, _ write: (inout OutputSpan<UInt8>) -> Void) {
        separate()
        bytes.append(addingCapacity: byteCount, initializingWith: write)
    }

    @inlinable
    mutating func separate() {
        if needsComma { bytes.append(0x2C) }
        needsComma = true
    }
}
