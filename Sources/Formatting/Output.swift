extension Span<UInt8> {
    /// The eight bytes from `offset` on, at most `count - 8`, the first one as the lowest.
    @inlinable
    @inline(__always)
    func word(at offset: Int) -> UInt64 {
        // The callers' offsets are within these bounds.
        UInt64(littleEndian: unsafe bytes.unsafeLoadUnaligned(fromUncheckedByteOffset: offset, as: UInt64.self))
    }

    /// Whether the bytes equal the other span's.
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

    /// Whether the bytes equal the literal's.
    @inlinable
    @inline(__always)
    public func equals(_ literal: StaticString) -> Bool {
        // A StaticString's bytes are part of the binary, and `utf8CodeUnitCount` is their exact count.
        unsafe equals(Span(_unsafeStart: literal.utf8Start, count: literal.utf8CodeUnitCount))
    }
}

// Text under construction in memory that was reserved once. An array checks its uniqueness and its room at each append;
// an output span checks its room only, which makes appending to a log line or a response's head much cheaper.
extension OutputSpan<UInt8> {
    /// Appends the bytes of a literal.
    @inlinable
    @inline(__always)
    public mutating func append(literal: StaticString) {
        // A StaticString's bytes are part of the binary, and `utf8CodeUnitCount` is their exact count.
        unsafe append(start: literal.utf8Start, count: literal.utf8CodeUnitCount)
    }

    /// Appends the bytes of three literals and checks the room once.
    @inlinable
    @inline(__always)
    public mutating func append(literals first: StaticString, _ second: StaticString, _ third: StaticString) {
        let (firstEnd, secondEnd) = (first.utf8CodeUnitCount, first.utf8CodeUnitCount + second.utf8CodeUnitCount)
        let count = secondEnd + third.utf8CodeUnitCount
        precondition(count <= freeCapacity, "no capacity is reserved for \(count) more bytes")
        // As in `append(literal:)` and `append(start:count:)`.
        unsafe withUnsafeMutableBufferPointer { buffer, used in
            let start = unsafe buffer.baseAddress! + used
            unsafe start.initialize(from: first.utf8Start, count: first.utf8CodeUnitCount)
            unsafe (start + firstEnd).initialize(from: second.utf8Start, count: second.utf8CodeUnitCount)
            unsafe (start + secondEnd).initialize(from: third.utf8Start, count: third.utf8CodeUnitCount)
            used += count
        }
    }

    /// Appends the bytes of a span.
    @inlinable
    @inline(__always)
    public mutating func append(span: Span<UInt8>) {
        // The pointer does not outlive the closure, which copies its bytes.
        unsafe span.withUnsafeBufferPointer { bytes in
            guard let start = bytes.baseAddress else { return }
            unsafe append(start: start, count: bytes.count)
        }
    }

    /// Copies `count` bytes from `start`, which must not overlap this span.
    @inlinable
    @inline(__always)
    mutating func append(start: UnsafePointer<UInt8>, count: Int) {
        precondition(count <= freeCapacity, "no capacity is reserved for \(count) more bytes")
        // There is room for `count` bytes after the first `used`.
        unsafe withUnsafeMutableBufferPointer { buffer, used in
            unsafe (buffer.baseAddress! + used).initialize(from: start, count: count)
            used += count
        }
    }

    /// Appends an integer in network byte order.
    @inlinable
    @inline(__always)
    public mutating func append(bigEndian number: some FixedWidthInteger) {
        let count = MemoryLayout.size(ofValue: number)
        precondition(count <= freeCapacity, "no capacity is reserved for \(count) more bytes")
        // As in `append(start:count:)`.
        unsafe withUnsafeMutableBufferPointer { buffer, used in
            let room = unsafe UnsafeMutableRawPointer(buffer.baseAddress! + used)
            unsafe room.storeBytes(of: number.bigEndian, as: type(of: number))
            used += count
        }
    }

    /// Appends `value` in decimal, with a minus sign when it is negative; at most 20 bytes.
    @inlinable
    @inline(__always)
    public mutating func append(decimal value: Int64) {
        if value < 0 { append(0x2D) }
        append(decimal: value.magnitude)
    }

    @inlinable
    @inline(__always)
    public mutating func append(decimal value: Int) {
        append(decimal: Int64(value))
    }

    @inlinable
    public mutating func append(decimal value: UInt64) {
        // Most counts, statuses and milliseconds are short.
        if value < 1000 {
            if value >= 100 { append(0x30 &+ UInt8(truncatingIfNeeded: value / 100)) }
            if value >= 10 { append(0x30 &+ UInt8(truncatingIfNeeded: value / 10 % 10)) }
            append(0x30 &+ UInt8(truncatingIfNeeded: value % 10))
            return
        }
        var count = 4
        var limit: UInt64 = 10_000
        // UInt64.max has 20 digits, and 10^20 exceeds it.
        while count < 20 && value >= limit {
            count += 1
            limit = limit &* 10
        }
        append(decimal: value, digits: count)
    }

    /// Appends the last `count` decimal digits of `value`, padded with zeros.
    @inlinable
    @inline(__always)
    public mutating func append(decimal value: UInt64, digits count: Int) {
        precondition(count <= freeCapacity, "no capacity is reserved for \(count) digits")
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

    /// Appends nanoseconds as milliseconds with three decimals: 412,345 ns becomes `0.412`; at most 21 bytes.
    @inlinable
    public mutating func append(millisecondsOf nanoseconds: UInt64) {
        let microseconds = nanoseconds / 1000
        append(decimal: microseconds / 1000)
        append(0x2E)
        append(decimal: microseconds % 1000, digits: 3)
    }
}
