public import Formatting

extension OutputSpan<UInt8> {
    /// Appends `,"name":`.
    @inlinable
    @inline(__always)
    mutating func append(memberName name: StaticString) {
        append(literals: ",\"", name, "\":")
    }

    /// Appends ASCII that needs no escape as a JSON string, quotes included.
    @inlinable
    @inline(__always)
    mutating func append(plainLogValue text: Span<UInt8>) {
        append(0x22)
        append(span: text)
        append(0x22)
    }

    /// Appends a JSON string, quotes included: at most `LogLine.valueByteLimit` bytes of the text, ending in `…` when
    /// it was longer. Bytes that are not UTF-8 become U+FFFD, and characters that do not display as themselves are
    /// escaped.
    mutating func append(logValue utf8: Span<UInt8>) {
        append(0x22)
        if utf8.count > LogLine.valueByteLimit {
            append(escaping: utf8.extracting(0..<utf8.logValueCut))
            append(literal: "…")
        } else if utf8.isPlainASCII {
            append(span: utf8)
        } else {
            append(escaping: utf8)
        }
        append(0x22)
    }

    mutating func append(logValue text: String) {
        append(logValue: text.utf8.span)
    }

    /// At most six bytes for each byte.
    private mutating func append(escaping utf8: Span<UInt8>) {
        // The pointer does not outlive the closure; String copies from it, and repairs it as Unicode specifies.
        let repaired = unsafe utf8.withUnsafeBufferPointer { unsafe String(decoding: $0, as: UTF8.self) }
        var escaped: [UInt8] = []
        escaped.append(jsonEscaped: repaired)
        for scalar in String(decoding: escaped, as: UTF8.self).unicodeScalars {
            if scalar.isShown {
                for byte in String(scalar).utf8 { append(byte) }
            } else {
                for unit in String(scalar).utf16 { append(escapeOf: unit) }
            }
        }
    }

    private mutating func append(escapeOf unit: UInt16) {
        append(literal: "\\u")
        for shift in [12, 8, 4, 0] {
            let digit = UInt8(truncatingIfNeeded: unit >> UInt16(shift)) & 0x0F
            append(digit < 10 ? 0x30 + digit : 0x57 + digit)
        }
    }
}

extension Unicode.Scalar {
    /// Whether the character displays as itself: not a control that a terminal obeys, not a separator that some readers
    /// take for a line end, not invisible, and not one that changes the display order of its neighbours.
    fileprivate var isShown: Bool {
        if isASCII { return self != "\u{7F}" }
        switch properties.generalCategory {
        case .control, .format, .lineSeparator, .paragraphSeparator: return false
        default: return true
        }
    }
}

extension Span<UInt8> {
    /// Where a value above the limit is cut: with room for the mark, and without splitting a character.
    fileprivate var logValueCut: Int {
        let longest = LogLine.valueByteLimit - 3
        // A character has at most three continuation bytes; a longer run of them is not UTF-8 and has no boundary.
        for cut in stride(from: longest, to: longest - 4, by: -1) where self[cut] & 0xC0 != 0x80 { return cut }
        return longest
    }
}
