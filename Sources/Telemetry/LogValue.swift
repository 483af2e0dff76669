import Formatting

// A line has a dozen fields, and each append to an array checks its uniqueness and room; so a field takes two appends.
extension [UInt8] {
    /// Appends `,"name":`.
    mutating func append(memberName name: StaticString) {
        let count = name.utf8CodeUnitCount
        append(addingCapacity: count + 4) { output in
            // The buffer has room for `count + 4` bytes, and a StaticString's bytes live in the binary.
            unsafe output.withUnsafeMutableBufferPointer { buffer, initialized in
                unsafe buffer[0] = 0x2C
                unsafe buffer[1] = 0x22
                for index in 0..<count { unsafe buffer[2 + index] = name.utf8Start[index] }
                unsafe buffer[2 + count] = 0x22
                unsafe buffer[3 + count] = 0x3A
                initialized = count + 4
            }
        }
    }

    /// Appends a JSON string, quotes included: at most `LogLine.valueByteLimit` bytes of the text, ending in `…` when
    /// it was longer. With `mayBeInvalid`, what is not UTF-8 becomes U+FFFD; otherwise the caller vouches for the text.
    mutating func append(logValue utf8: Span<UInt8>, mayBeInvalid: Bool) {
        if utf8.count <= LogLine.valueByteLimit && utf8.isPlain {
            append(quoting: utf8)
            return
        }
        append(0x22)
        if utf8.count <= LogLine.valueByteLimit {
            append(escaping: utf8, mayBeInvalid: mayBeInvalid)
        } else {
            append(escaping: utf8.extracting(0..<utf8.logValueCut), mayBeInvalid: mayBeInvalid)
            append(literal: "…")
        }
        append(0x22)
    }

    mutating func append(logValue text: String) {
        var text = text
        // The buffer outlives the closure's call, and the span does not leave it.
        text.withUTF8 { unsafe append(logValue: Span(_unsafeElements: $0), mayBeInvalid: false) }
    }

    private mutating func append(quoting utf8: Span<UInt8>) {
        let count = utf8.count
        append(addingCapacity: count + 2) { output in
            // The buffer has room for `count + 2` bytes, and the source cannot be a part of it.
            unsafe output.withUnsafeMutableBufferPointer { buffer, initialized in
                unsafe buffer[0] = 0x22
                for index in 0..<count { unsafe buffer[1 + index] = utf8[unchecked: index] }
                unsafe buffer[1 + count] = 0x22
                initialized = count + 2
            }
        }
    }

    private mutating func append(escaping utf8: Span<UInt8>, mayBeInvalid: Bool) {
        if mayBeInvalid {
            // The pointer does not outlive the closure; String copies from it, and repairs as Unicode has it.
            append(jsonEscaped: unsafe utf8.withUnsafeBufferPointer { unsafe String(decoding: $0, as: UTF8.self) })
        } else {
            append(jsonEscaped: utf8)
        }
    }
}

extension Span<UInt8> {
    /// Whether the bytes are ASCII that JSON takes as it is, as nearly every value's are.
    fileprivate var isPlain: Bool {
        var special: UInt8 = 0
        for index in 0..<count {
            // `index` is below `count`; a check would keep the loop from being vectorised, and so would an early exit.
            let byte = unsafe self[unchecked: index]
            special |= (byte < 0x20 ? 1 : 0) | (byte == 0x22 ? 1 : 0) | (byte == 0x5C ? 1 : 0) | (byte >> 7)
        }
        return special == 0
    }

    /// Where a value over the limit is cut: room is left for the mark, and no character is split.
    fileprivate var logValueCut: Int {
        let longest = LogLine.valueByteLimit - 3
        // A character has at most three continuation bytes; a longer run of them is not UTF-8 and has no boundary.
        for cut in stride(from: longest, to: longest - 4, by: -1) where self[cut] & 0xC0 != 0x80 { return cut }
        return longest
    }
}
