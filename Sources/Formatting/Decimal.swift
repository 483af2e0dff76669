/// An integer of 64 bits in decimal.
public enum DecimalText {
    /// The longest one: 20 digits, or 19 and a minus sign.
    public static let mostByteCount = 20
}

extension [UInt8] {
    /// Appends the bytes of a literal.
    @inlinable
    public mutating func append(literal: StaticString) {
        // A StaticString's bytes are part of the binary, and `utf8CodeUnitCount` is their exact count.
        unsafe append(contentsOf: UnsafeBufferPointer(start: literal.utf8Start, count: literal.utf8CodeUnitCount))
    }

    /// Appends the bytes of a span.
    @inlinable
    public mutating func append(span: Span<UInt8>) {
        // The pointer does not outlive the closure; `append` copies from it.
        unsafe span.withUnsafeBufferPointer { unsafe append(contentsOf: $0) }
    }

    /// Appends `value` in decimal, with a minus sign when it is negative.
    @inlinable
    public mutating func append(decimal value: Int64) {
        append(addingCapacity: DecimalText.mostByteCount) { $0.append(decimal: value) }
    }

    @inlinable
    public mutating func append(decimal value: Int) {
        append(addingCapacity: DecimalText.mostByteCount) { $0.append(decimal: value) }
    }

    @inlinable
    public mutating func append(decimal value: UInt64) {
        append(addingCapacity: DecimalText.mostByteCount) { $0.append(decimal: value) }
    }

    /// Appends `value` in decimal, padded with zeros to `width` digits; all digits of a longer number are kept, and a
    /// minus sign precedes the zeros.
    @inlinable
    public mutating func append(decimal value: Int, width: Int) {
        if value < 0 { append(0x2D) }
        var missing = width
        var rest = value.magnitude
        repeat {
            missing -= 1
            rest /= 10
        } while rest > 0
        while missing > 0 {
            append(0x30)
            missing -= 1
        }
        append(decimal: UInt64(value.magnitude))
    }

    /// Appends nanoseconds as milliseconds with three decimals: 412,345 ns becomes `0.412`.
    @inlinable
    public mutating func append(millisecondsOf nanoseconds: UInt64) {
        append(addingCapacity: 21) { $0.append(millisecondsOf: nanoseconds) }
    }
}
