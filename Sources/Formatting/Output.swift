extension Span<UInt8> {
    /// The eight bytes from `offset` on, at most `count - 8`, with the first one as the lowest.
    @inlinable
    @inline(__always)
    func word(at offset: Int) -> UInt64 {
        // The callers' offsets are in these bounds.
        UInt64(littleEndian: unsafe bytes.unsafeLoadUnaligned(fromUncheckedByteOffset: offset, as: UInt64.self))
    }

    /// Whether the bytes are the other's.
    @inlinable
    @inline(__always)
    public func equals(_ other: Span<UInt8>) -> Bool {
        guard count == other.count else { return false }
        guard count >= 8 else {
            for index in indices where self[index] != other[index] { return false }
            return true
        }
        var offset = 0
        while offset + 8 <= count {
            if word(at: offset) != other.word(at: offset) { return false }
            offset += 8
        }
        return word(at: count - 8) == other.word(at: count - 8)
    }

    /// Whether the bytes are the literal's.
    @inlinable
    @inline(__always)
    public func equals(_ literal: StaticString) -> Bool {
        // A StaticString's bytes live in the binary, and `utf8CodeUnitCount` is their exact count.
        unsafe equals(Span(_unsafeStart: literal.utf8Start, count: literal.utf8CodeUnitCount))
    }
}

// Text under construction in memory that was reserved once. An array looks at its uniqueness and its room at each append;
// a span only at its room, which for a log line and a response's head is most of what an append costs.
extension OutputSpan<UInt8> {
    /// Appends the bytes of a literal as they stand.
    @inlinable
    @inline(__always)
    public mutating func append(literal: StaticString) {
        // A StaticString's bytes live in the binary, and `utf8CodeUnitCount` is their exact count.
        unsafe append(start: literal.utf8Start, count: literal.utf8CodeUnitCount)
    }

    /// Appends the bytes of a span.
    @inlinable
    @inline(__always)
    public mutating func append(span: Span<UInt8>) {
        // The pointer does not outlive the closure, in which its bytes are copied.
        unsafe span.withUnsafeBufferPointer { bytes in
            guard let start = bytes.baseAddress else { return }
            unsafe append(start: start, count: bytes.count)
        }
    }

    /// Copies `count` bytes from `start`, which do not lie in this span.
    @inlinable
    @inline(__always)
    mutating func append(start: UnsafePointer<UInt8>, count: Int) {
        precondition(count <= freeCapacity, "no room was reserved for \(count) bytes more")
        // Room for `count` bytes follows the first `used`.
        unsafe withUnsafeMutableBufferPointer { buffer, used in
            unsafe (buffer.baseAddress! + used).initialize(from: start, count: count)
            used += count
        }
    }

    /// Appends `value` in decimal, with a minus sign when it is negative; 20 bytes at most.
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
        // Counts, statuses and milliseconds are short.
        if value < 1000 {
            if value >= 100 { append(0x30 &+ UInt8(truncatingIfNeeded: value / 100)) }
            if value >= 10 { append(0x30 &+ UInt8(truncatingIfNeeded: value / 10 % 10)) }
            append(0x30 &+ UInt8(truncatingIfNeeded: value % 10))
            return
        }
        var count = 4
        var limit: UInt64 = 10_000
        // UInt64.max has 20 digits, and 10^20 is more than it holds.
        while count < 20 && value >= limit {
            count += 1
            limit = limit &* 10
        }
        append(decimal: value, digits: count)
    }

    /// Appends the last `count` decimal digits of `value`, zeros in front.
    @inlinable
    @inline(__always)
    public mutating func append(decimal value: UInt64, digits count: Int) {
        precondition(count <= freeCapacity, "no room was reserved for \(count) digits")
        // As in `append(start:count:)`; every byte of the room is written.
        unsafe withUnsafeMutableBufferPointer { buffer, used in
            var position = used + count
            var rest = value
            while position > used {
                position -= 1
                unsafe (buffer.baseAddress! + position).initialize(to: 0x30 &+ UInt8(truncatingIfNeeded: rest % 10))
                rest /= 10
            }
            used += count
        }
    }

    /// Appends nanoseconds as milliseconds with three decimals: 412,345 ns becomes `0.412`; 21 bytes at most.
    @inlinable
    public mutating func append(millisecondsOf nanoseconds: UInt64) {
        let microseconds = nanoseconds / 1000
        append(decimal: microseconds / 1000)
        append(0x2E)
        append(decimal: microseconds % 1000, digits: 3)
    }
}
