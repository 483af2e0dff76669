// Text in JSON strings (RFC 8259 §7): quotes, backslashes and control characters are escaped, everything else is
// unchanged.
extension Span<UInt8> {
    /// Whether JSON needs no escape for any byte, as in nearly every text.
    @inlinable
    public var isPlainJSON: Bool { isPlain(refusing: 0) }

    /// The same, and whether all bytes are printable ASCII: then it is valid UTF-8, and has nothing that a terminal
    /// obeys, DEL included.
    @inlinable
    public var isPlainASCII: Bool { isPlain(refusing: 0x8080_8080_8080_8080) }

    /// The index of the first byte from `start` on that JSON has to escape; `count` if there is none.
    @inlinable
    public func endOfPlainJSON(from start: Int) -> Int {
        precondition(start >= 0, "the start \(start) is negative")
        var end = start
        while end + 8 <= count {
            let found = escapes(at: end, or: 0) & 0x8080_8080_8080_8080
            if found != 0 { return end + found.trailingZeroBitCount / 8 }
            end += 8
        }
        while end < count, !self[end].needsEscape { end += 1 }
        return end
    }

    /// - Parameter bits: the highest bit of each of eight bytes, or 0: with them, bytes from 0x7F on are found too.
    @inlinable
    @inline(__always)
    func isPlain(refusing bits: UInt64) -> Bool {
        guard count >= 8 else {
            for index in indices {
                let byte = UInt64(self[index])
                if self[index].needsEscape || (byte | (byte &+ 1)) & bits & 0x80 != 0 { return false }
            }
            return true
        }
        var found: UInt64 = 0
        var offset = 0
        while offset + 8 <= count {
            found |= escapes(at: offset, or: bits)
            offset += 8
        }
        return (found | escapes(at: count - 8, or: bits)) & 0x8080_8080_8080_8080 == 0
    }

    /// Checks eight bytes at once. If one of them needs an escape, the highest bit of some bytes of the result is set,
    /// and the lowest of these bits belongs to the first such byte.
    @inlinable
    @inline(__always)
    func escapes(at offset: Int, or bits: UInt64) -> UInt64 {
        let every: UInt64 = 0x0101_0101_0101_0101
        let word = word(at: offset)
        // The subtraction borrows into a byte's highest bit where the byte is smaller; a borrow from a lower byte only
        // occurs where that byte is found too. Adding one to each byte sets the highest bit of 0x7F; a carry only comes
        // from 0xFF, which has that bit set.
        let control = (word &- every &* 0x20) & ~word
        let quote = word ^ every &* 0x22
        let backslash = word ^ every &* 0x5C
        return control | (quote &- every) & ~quote | (backslash &- every) & ~backslash
            | (word | (word &+ every)) & bits
    }

    /// Bytes of this text as a JSON string, quotes included.
    public var jsonByteCount: Int {
        if isPlainJSON { return count + 2 }
        var bytes = count + 2
        for index in indices { bytes += self[index].escapeByteCount }
        return bytes
    }

    /// Upper bound for the bytes of this text as a JSON string, quotes included.
    @inlinable
    @inline(__always)
    public func jsonByteLimit(isPlain: Bool) -> Int {
        isPlain ? count + 2 : 6 * count + 2
    }
}

extension UInt8 {
    /// Whether a JSON string must escape the byte.
    @inlinable
    @inline(__always)
    var needsEscape: Bool { self < 0x20 || self == 0x22 || self == 0x5C }

    /// Bytes that its escape has more than the byte itself.
    fileprivate var escapeByteCount: Int {
        switch self {
        case 0x22, 0x5C, 0x08, 0x09, 0x0A, 0x0C, 0x0D: 1
        case 0..<0x20: 5
        default: 0
        }
    }
}

extension OutputSpan<UInt8> {
    /// Appends UTF-8 text as a string with its quotes; at most `utf8.jsonByteLimit(isPlain:)` bytes.
    ///
    /// - Parameter isPlain: `utf8.isPlainJSON`; the reserved room depends on it, so the caller already has it.
    @inlinable
    public mutating func append(jsonString utf8: Span<UInt8>, isPlain: Bool) {
        append(0x22)
        if isPlain { append(span: utf8) } else { append(jsonEscaped: utf8) }
        append(0x22)
    }

    /// Appends UTF-8 text, escaped where necessary, without quotes; at most six bytes per byte.
    @inlinable
    public mutating func append(jsonEscaped utf8: Span<UInt8>) {
        // Runs without an escape are copied whole.
        var start = 0
        for index in utf8.indices where utf8[index].needsEscape {
            append(span: utf8.extracting(start..<index))
            append(escapeOf: utf8[index])
            start = index + 1
        }
        append(span: utf8.extracting(start..<utf8.count))
    }

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
            append(byte < 0x10 ? 0x30 : 0x31)
            append(byte & 0x0F < 10 ? 0x30 + byte & 0x0F : 0x57 + byte & 0x0F)
        }
    }
}

extension [UInt8] {
    /// Appends UTF-8 text, escaped where necessary, without quotes.
    @inlinable
    public mutating func append(jsonEscaped utf8: Span<UInt8>) {
        if utf8.isPlainJSON {
            append(span: utf8)
        } else {
            append(addingCapacity: 6 * utf8.count) { $0.append(jsonEscaped: utf8) }
        }
    }

    @inlinable
    public mutating func append(jsonEscaped text: String) {
        var text = text
        // The buffer outlives the closure's call, and the span does not escape it.
        text.withUTF8 { unsafe append(jsonEscaped: Span(_unsafeElements: $0)) }
    }

    /// Appends UTF-8 text as a string with its quotes.
    @inlinable
    public mutating func append(jsonString utf8: Span<UInt8>) {
        let isPlain = utf8.isPlainJSON
        append(addingCapacity: utf8.jsonByteLimit(isPlain: isPlain)) { $0.append(jsonString: utf8, isPlain: isPlain) }
    }
}
