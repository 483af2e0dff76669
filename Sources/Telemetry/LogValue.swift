public import Formatting

extension OutputSpan<UInt8> {
    /// Appends `,"name":`.
    @inlinable
    @inline(__always)
    mutating func append(memberName name: StaticString) {
        append(literal: ",\"")
        append(literal: name)
        append(literal: "\":")
    }

    /// Appends a JSON string, quotes included: at most `LogLine.valueByteLimit` bytes of the text, ending in `…` when
    /// it was longer. With `mayBeInvalid`, what is not UTF-8 becomes U+FFFD; otherwise the caller vouches for the text.
    mutating func append(logValue utf8: Span<UInt8>, mayBeInvalid: Bool) {
        append(0x22)
        if utf8.count > LogLine.valueByteLimit {
            append(escaping: utf8.extracting(0..<utf8.logValueCut), mayBeInvalid: mayBeInvalid)
            append(literal: "…")
        } else if utf8.isPlainASCII {
            append(span: utf8)
        } else {
            append(escaping: utf8, mayBeInvalid: mayBeInvalid)
        }
        append(0x22)
    }

    mutating func append(logValue text: String) {
        append(logValue: text.utf8.span, mayBeInvalid: false)
    }

    private mutating func append(escaping utf8: Span<UInt8>, mayBeInvalid: Bool) {
        var escaped: [UInt8] = []
        if mayBeInvalid {
            // The pointer does not outlive the closure; String copies from it, and repairs as Unicode has it.
            let repaired = unsafe utf8.withUnsafeBufferPointer { unsafe String(decoding: $0, as: UTF8.self) }
            escaped.append(jsonEscaped: repaired)
        } else {
            escaped.append(jsonEscaped: utf8)
        }
        append(span: escaped.span)
    }
}

extension Span<UInt8> {
    /// Where a value over the limit is cut: room is left for the mark, and no character is split.
    fileprivate var logValueCut: Int {
        let longest = LogLine.valueByteLimit - 3
        // A character has at most three continuation bytes; a longer run of them is not UTF-8 and has no boundary.
        for cut in stride(from: longest, to: longest - 4, by: -1) where self[cut] & 0xC0 != 0x80 { return cut }
        return longest
    }
}
