extension [UInt8] {
    /// Appends the bytes of a literal as they stand.
    @inlinable
    public mutating func append(literal: StaticString) {
        // A StaticString's bytes live in the binary, and `utf8CodeUnitCount` is their exact count.
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
        if value < 0 { append(0x2D) }
        append(decimal: value.magnitude)
    }

    @inlinable
    public mutating func append(decimal value: Int) {
        append(decimal: Int64(value))
    }

    @inlinable
    public mutating func append(decimal value: UInt64) {
        if value < 10 {
            append(0x30 &+ UInt8(truncatingIfNeeded: value))
            return
        }
        // UInt64.max has 20 digits.
        var digits = InlineArray<20, UInt8>(repeating: 0)
        var position = 20
        var rest = value
        while rest > 0 {
            position -= 1
            digits[position] = 0x30 &+ UInt8(truncatingIfNeeded: rest % 10)
            rest /= 10
        }
        append(span: digits.span.extracting(position..<20))
    }

    /// Appends `value` in decimal with zeros in front up to `width` digits; more digits than that are all kept, and a
    /// minus sign comes before the zeros.
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
        let microseconds = nanoseconds / 1000
        append(decimal: microseconds / 1000)
        append(0x2E)
        append(decimal: Int(microseconds % 1000), width: 3)
    }
}
