/// A set of ASCII characters, one bit per character.
struct ByteSet: Sendable {
    /// Bit n is character n.
    let low: UInt64
    /// Bit n is character 64 + n.
    let high: UInt64

    @inline(__always)
    func contains(_ byte: UInt8) -> Bool {
        let half = byte & 0x40 == 0 ? low : high
        return byte < 0x80 && (half &>> UInt64(byte)) & 1 != 0
    }
}

/// The character classes of RFC 9110 §5.6 and RFC 3986, and the length of a run of each.
enum Grammar {
    static let tab: UInt8 = 0x09
    static let lineFeed: UInt8 = 0x0A
    static let carriageReturn: UInt8 = 0x0D
    static let space: UInt8 = 0x20

    /// tchar: letters, digits and ``!#$%&'*+-.^_`|~``.
    static let token = ByteSet(low: 0x03FF_6CFA_0000_0000, high: 0x57FF_FFFF_C7FF_FFFE)
    /// Visible ASCII except `#`, `%` and `?`.
    static let plainPath = ByteSet(low: 0x7FFF_FFD6_0000_0000, high: 0x7FFF_FFFF_FFFF_FFFF)
    /// Visible ASCII except `#`.
    static let query = ByteSet(low: 0xFFFF_FFF6_0000_0000, high: 0x7FFF_FFFF_FFFF_FFFF)
    /// Visible ASCII except `#`, `/` and `?`: the characters of an authority.
    static let authority = ByteSet(low: 0x7FFF_7FF6_0000_0000, high: 0x7FFF_FFFF_FFFF_FFFF)
    /// unreserved and sub-delims, RFC 3986 §3.2.2, without the comma.
    static let registeredName = ByteSet(low: 0x2BFF_6FD2_0000_0000, high: 0x47FF_FFFE_87FF_FFFE)

    @inline(__always)
    static func isBlank(_ byte: UInt8) -> Bool { byte == space || byte == tab }

    /// VCHAR, obs-text, space and tab: everything except controls.
    @inline(__always)
    static func isFieldValue(_ byte: UInt8) -> Bool { (byte >= 0x20 && byte != 0x7F) || byte == tab }

    @inline(__always)
    static func isDigit(_ byte: UInt8) -> Bool { byte &- 0x30 < 10 }

    /// The value of a hexadecimal digit, nil for other bytes.
    @inline(__always)
    static func hexValue(_ byte: UInt8) -> UInt8? {
        if isDigit(byte) { return byte &- 0x30 }
        let letter = (byte | 0x20) &- 0x61
        return letter < 6 ? letter &+ 10 : nil
    }

    /// The first index in `start..<end` that is not in `set`, else `end`.
    @inline(__always)
    static func end(of set: ByteSet, in bytes: Span<UInt8>, from start: Int, to end: Int) -> Int {
        // Indexed from 0 in a span of its own, so that the compiler removes the bounds check.
        let run = bytes.extracting(start..<end)
        for index in run.indices where !set.contains(run[index]) { return start &+ index }
        return end
    }

    /// The first index in `start..<end` of a byte that is not allowed in a field value, else `end`.
    @inline(__always)
    static func endOfFieldValue(in bytes: Span<UInt8>, from start: Int, to end: Int) -> Int {
        var position = start
        while position &+ 8 <= end {
            let word = bytes.word(at: position)
            let hits = below(0x20, in: word) | matches(0x7F, in: word)
            if hits == 0 {
                position &+= 8
                continue
            }
            position &+= hits.trailingZeroBitCount &>> 3
            guard bytes[position] == tab else { return position }
            position &+= 1
        }
        while position < end, isFieldValue(bytes[position]) { position &+= 1 }
        return position
    }

    /// Whether a byte is a control character, tab included.
    @inline(__always)
    static func hasControl(_ bytes: Span<UInt8>) -> Bool {
        guard bytes.count >= 8 else {
            for index in bytes.indices where bytes[index] < 0x20 || bytes[index] == 0x7F { return true }
            return false
        }
        var position = 0
        while position &+ 8 < bytes.count {
            if hasControl(bytes.word(at: position)) { return true }
            position &+= 8
        }
        // The last word overlaps the previous one, so that no length leaves a remainder.
        return hasControl(bytes.word(at: bytes.count &- 8))
    }

    @inline(__always)
    static func isVisibleWithoutQuotes(_ word: UInt64) -> Bool {
        (below(0x21, in: word) | matches(0x22, in: word) | matches(0x7F, in: word) | word & 0x8080_8080_8080_8080) == 0
    }

    @inline(__always)
    private static func hasControl(_ word: UInt64) -> Bool { below(0x20, in: word) | matches(0x7F, in: word) != 0 }

    /// The first index in `start..<end` that is not in `plainPath`, else `end`.
    @inline(__always)
    static func endOfPlainPath(in bytes: Span<UInt8>, from start: Int, to end: Int) -> Int {
        var position = start
        while position &+ 8 <= end {
            let word = bytes.word(at: position)
            let delimiters = matches(0x23, in: word) | matches(0x25, in: word) | matches(0x3F, in: word)
            let invisible = below(0x21, in: word) | matches(0x7F, in: word) | word & 0x8080_8080_8080_8080
            let hits = delimiters | invisible
            if hits != 0 { return position &+ hits.trailingZeroBitCount &>> 3 }
            position &+= 8
        }
        return self.end(of: plainPath, in: bytes, from: position, to: end)
    }

    /// The first index in `start..<end` of `byte`, else `end`.
    @inline(__always)
    static func firstIndex(of byte: UInt8, in bytes: Span<UInt8>, from start: Int, to end: Int) -> Int {
        var position = start
        while position &+ 8 <= end {
            let hits = matches(byte, in: bytes.word(at: position))
            if hits != 0 { return position &+ hits.trailingZeroBitCount &>> 3 }
            position &+= 8
        }
        while position < end, bytes[position] != byte { position &+= 1 }
        return position
    }

    // Eight bytes at once. In the result of the next two functions, the lowest set top bit is that of the first byte
    // found; top bits above it may be wrong, because the subtraction borrows from the byte above a match.

    @inline(__always)
    private static func below(_ bound: UInt8, in word: UInt64) -> UInt64 {
        (word &- 0x0101_0101_0101_0101 &* UInt64(bound)) & ~word & 0x8080_8080_8080_8080
    }

    @inline(__always)
    private static func matches(_ byte: UInt8, in word: UInt64) -> UInt64 {
        below(1, in: word ^ (0x0101_0101_0101_0101 &* UInt64(byte)))
    }

    /// The range without spaces and tabs at its ends (OWS, RFC 9110 §5.6.3).
    @inline(__always)
    static func trim(_ range: Range<Int>, in bytes: Span<UInt8>) -> Range<Int> {
        var start = range.lowerBound
        var end = range.upperBound
        while start < end, isBlank(bytes[start]) { start &+= 1 }
        while end > start, isBlank(bytes[end &- 1]) { end &-= 1 }
        return start..<end
    }

    @inline(__always)
    static func lowercase(_ byte: UInt8) -> UInt8 { byte &- 0x41 < 26 ? byte | 0x20 : byte }

    /// Whether two texts are equal, ignoring the case of ASCII letters.
    static func equalsIgnoringCase(_ left: Span<UInt8>, _ right: Span<UInt8>) -> Bool {
        guard left.count == right.count else { return false }
        for index in left.indices where lowercase(left[index]) != lowercase(right[index]) { return false }
        return true
    }

    static func isToken(_ bytes: Span<UInt8>) -> Bool {
        bytes.count > 0 && end(of: token, in: bytes, from: 0, to: bytes.count) == bytes.count
    }
}

extension Span<UInt8> {
    /// Whether all bytes are visible ASCII, and none is a double quote.
    public var isVisibleWithoutQuotes: Bool {
        guard count >= 8 else {
            for index in indices where self[index] < 0x21 || self[index] == 0x22 || self[index] > 0x7E { return false }
            return true
        }
        var position = 0
        while position &+ 8 < count {
            if !Grammar.isVisibleWithoutQuotes(word(at: position)) { return false }
            position &+= 8
        }
        // The last word overlaps the previous one, so that no length leaves a remainder.
        return Grammar.isVisibleWithoutQuotes(word(at: count &- 8))
    }

    /// Eight bytes from `offset` on, the first one as the lowest.
    @inline(__always)
    func word(at offset: Int) -> UInt64 {
        precondition(offset >= 0 && offset <= count &- 8, "a word beyond the end of a span")
        // The precondition keeps the load inside the span, and every bit pattern is a UInt64.
        let word = unsafe bytes.unsafeLoadUnaligned(fromUncheckedByteOffset: offset, as: UInt64.self)
        return UInt64(littleEndian: word)
    }

    /// Whether the token of `literal`'s length at `offset` equals `literal`, which is in lower case.
    ///
    /// Only letters are compared without their case: the literal's bytes with bit 6 set.
    @inline(__always)
    func token(at offset: Int, is literal: StaticString) -> Bool {
        let length = literal.utf8CodeUnitCount
        guard length >= 8 else {
            for index in 0..<length {
                // The literal is part of the binary, and the index is below its count.
                let letter = unsafe literal.utf8Start[index]
                if self[offset &+ index] | (letter & 0x40) &>> 1 != letter { return false }
            }
            return true
        }
        var index = 0
        while index &+ 8 < length {
            if !isWord(at: offset &+ index, literal.word(at: index)) { return false }
            index &+= 8
        }
        // The last word overlaps the previous one, so that no length leaves a remainder.
        return isWord(at: offset &+ length &- 8, literal.word(at: length &- 8))
    }

    @inline(__always)
    private func isWord(at offset: Int, _ letters: UInt64) -> Bool {
        word(at: offset) | (letters & 0x4040_4040_4040_4040) &>> 1 == letters
    }
}

extension StaticString {
    /// Eight bytes from `offset` on, the first one as the lowest.
    @inline(__always)
    fileprivate func word(at offset: Int) -> UInt64 {
        precondition(offset >= 0 && offset <= utf8CodeUnitCount &- 8, "a word beyond the end of a literal")
        // The literal is part of the binary, and the precondition keeps the load inside it.
        let word = unsafe UnsafeRawPointer(utf8Start).loadUnaligned(fromByteOffset: offset, as: UInt64.self)
        return UInt64(littleEndian: word)
    }
}
