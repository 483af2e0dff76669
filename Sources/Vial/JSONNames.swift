import Formatting

/// The unescaped names of one object's members: `"n\u0061me"` is `name` (RFC 8259 §8.3).
///
/// Used for objects with many, long or escaped names, where comparing each pair would take quadratic time. Each name is
/// unescaped once and kept as a hash. The hash is seeded per process, so that a client cannot choose colliding names.
struct JSONNames {
    private var hashes: Set<Int>

    /// - Parameter members: with distinct names without escapes.
    init(_ members: [JSONMembers.Member], in text: [UInt8]) {
        hashes = Set(minimumCapacity: 4 * members.count)
        for member in members { hashes.insert(Self.hash(text[JSONMembers.content(member.name)])) }
    }

    /// Adds a name, given as a well-formed string with its quotes.
    ///
    /// - Parameters:
    ///   - hasEscape: whether the name contains an escape.
    ///   - members: the members added before.
    /// - Returns: false when one of them has the same name.
    mutating func insert(
        _ name: Range<Int>, hasEscape: Bool, in text: [UInt8], after members: [JSONMembers.Member]
    ) -> Bool {
        let read = hasEscape ? Self.read(name, in: text) : text[JSONMembers.content(name)]
        if hashes.insert(Self.hash(read)).inserted { return true }
        return !members.contains { Self.read($0.name, in: text) == read }
    }

    private static func hash(_ name: ArraySlice<UInt8>) -> Int {
        var hasher = Hasher()
        // The bytes are read before the call returns.
        unsafe name.withUnsafeBytes { unsafe hasher.combine(bytes: $0) }
        return hasher.finalize()
    }

    /// The bytes of a well-formed string, unescaped and without its quotes.
    static func read(_ string: Range<Int>, in text: [UInt8]) -> ArraySlice<UInt8> {
        let written = JSONMembers.content(string)
        // Only an escape can end the plain part before the closing quote.
        if text.span.endOfPlainJSON(from: written.lowerBound) == written.upperBound { return text[written] }
        var read: [UInt8] = []
        read.reserveCapacity(written.count)
        var position = written.lowerBound
        while position < written.upperBound {
            let byte = text[position]
            position += 1
            if byte != UInt8(ascii: "\\") {
                read.append(byte)
                continue
            }
            let kind = text[position]
            position += 1
            switch kind {
            case UInt8(ascii: "b"): read.append(0x08)
            case UInt8(ascii: "f"): read.append(0x0C)
            case UInt8(ascii: "n"): read.append(0x0A)
            case UInt8(ascii: "r"): read.append(0x0D)
            case UInt8(ascii: "t"): read.append(0x09)
            case UInt8(ascii: "u"):
                var code = codeUnit(in: text, at: position)
                position += 4
                if code & 0xFC00 == 0xD800 {
                    // The second half of the surrogate pair follows in another `\u`.
                    code = 0x1_0000 + (code & 0x3FF) << 10 + codeUnit(in: text, at: position + 2) & 0x3FF
                    position += 6
                }
                guard let scalar = Unicode.Scalar(code) else {
                    fatalError("half a surrogate pair in a well-formed string")
                }
                read.append(contentsOf: String(scalar).utf8)
            default: read.append(kind)
            }
        }
        return read[...]
    }

    /// The value of the four hexadecimal digits at `start`.
    private static func codeUnit(in text: [UInt8], at start: Int) -> UInt32 {
        var unit: UInt32 = 0
        for digit in text[start..<start + 4] { unit = unit << 4 | UInt32(digit & 0x0F) + (digit < 0x40 ? 0 : 9) }
        return unit
    }
}
