import HTTP1

/// The result of decoding some bytes.
private struct Decoded: Equatable {
    var body: [UInt8] = []
    var used = 0
    var isComplete = false
    var refusal: ProtocolError?

    init(_ wire: [UInt8], _ limits: Limits, _ splits: Splits?) {
        var splits = splits
        var decoder = ChunkedDecoder(limits: limits)
        repeat {
            let remaining = wire.count - used
            let count = splits?.next(remaining: max(remaining, 1), total: wire.count) ?? remaining
            let piece = Array(wire[used..<(used + min(count, remaining))])
            let taken: Int
            do { taken = try decoder.decode(piece.span, into: &body) } catch {
                refusal = error
                return
            }
            require(taken <= piece.count, "the bytes used are among those given")
            require(taken == piece.count || decoder.isComplete, "an incomplete body takes all bytes")
            require(body.count <= limits.bodyByteLimit, "a body stays within its limit")
            used += taken
            isComplete = decoder.isComplete
        } while used < wire.count && !isComplete
        // On an error it is unknown which byte of the piece was wrong, so `==` does not compare `used` then.
    }

    static func == (left: Decoded, right: Decoded) -> Bool {
        left.body == right.body && left.isComplete == right.isComplete && left.refusal == right.refusal
            && (left.used == right.used || left.refusal != nil)
    }
}

func tryChunkedBody(_ input: Input) {
    let whole = Decoded(input.wire, input.limits, nil)
    let pieces = Decoded(input.wire, input.limits, input.splits)
    require(whole == pieces, "any split of a chunked body gives the same\nat once: \(whole)\nin pieces: \(pieces)")
    if whole.isComplete { checkChunks(input.wire, whole.body, used: whole.used) }
}

/// Parses an accepted body a second time, line by line after RFC 9112 §7.1; must find the same data and end.
private func checkChunks(_ wire: [UInt8], _ body: [UInt8], used: Int) {
    var position = 0
    func nextLine() -> ArraySlice<UInt8> {
        let start = position
        while position < used, wire[position] != 0x0A { position += 1 }
        require(position < used && position > start && wire[position - 1] == 0x0D, "a line ends with CR LF")
        position += 1
        let line = wire[start..<(position - 2)]
        require(!line.contains(0x0D), "no CR stands alone in an accepted line")
        require(
            line.allSatisfy { $0 >= 0x20 && $0 != 0x7F || $0 == 0x09 }, "an accepted line has no control characters")
        return line
    }
    var expected: [UInt8] = []
    while true {
        let line = nextLine()
        let digits = line.prefix { isHexDigit($0) }
        guard let size = Int(String(decoding: digits, as: UTF8.self), radix: 16) else {
            fatalError("broken invariant: a chunk's size is a number")
        }
        let rest = line.dropFirst(digits.count).drop { $0 == 0x20 || $0 == 0x09 }
        require(rest.isEmpty || rest.first == 0x3B, "only an extension follows a chunk's size")
        guard size > 0 else { break }
        require(size <= used - position, "an accepted chunk is there")
        expected += wire[position..<(position + size)]
        position += size
        require(nextLine().isEmpty, "a chunk's data is followed by CR LF")
    }
    while case let trailer = nextLine(), !trailer.isEmpty {
        let name = trailer.prefix { $0 != 0x3A }
        require(
            !name.isEmpty && name.count < trailer.count && name.allSatisfy(isTokenByte), "a trailer is a field line")
    }
    require(position == used, "a chunked body ends with its last line")
    require(expected == body, "the data of all chunks is the body")
}

func isHexDigit(_ byte: UInt8) -> Bool {
    switch byte {
    case 0x30...0x39, 0x41...0x46, 0x61...0x66: true
    default: false
    }
}

/// tchar, RFC 9110 §5.6.2.
func isTokenByte(_ byte: UInt8) -> Bool {
    switch byte {
    case 0x30...0x39, 0x41...0x5A, 0x61...0x7A: true
    default: "!#$%&'*+-.^_`|~".utf8.contains(byte)
    }
}
