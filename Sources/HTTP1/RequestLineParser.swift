/// Parses the request line, RFC 9112 §3, and an empty line before it, which clients may send after a body (§2.2).
///
/// Each byte is judged by the bytes before it only. So a line is refused at its first byte that cannot be valid, and
/// the result does not depend on how the bytes were split.
struct RequestLineParser: Sendable {
    private enum Phase {
        case start, emptyLine
        case method, targetStart, asterisk, scheme, authority, path, firstHexDigit, secondHexDigit, query
        case version, carriageReturn, lineFeed
    }

    private var phase = Phase.start
    /// The next byte to read.
    private var position = 0
    private var lineStart = 0
    /// The start of the part that `phase` reads.
    private var partStart = 0
    /// Whether the scheme of an absolute target is https, and not http.
    private(set) var schemeIsHTTPS = false
    private var isSupported = true
    /// The authority of an absolute target, already validated.
    private(set) var authority: Range<Int>?

    /// Whether a byte of the request line was read.
    var hasBegun: Bool { phase != .start && phase != .emptyLine && position > lineStart }

    /// Continues after the last call: nil when the line is incomplete, else the index after its line end.
    mutating func parse(_ bytes: Span<UInt8>, into head: inout RequestHead) throws(ProtocolError) -> Int? {
        while true {
            let lineLimit = lineStart &+ Limits.requestLineByteLimit
            let end = min(bytes.count, lineLimit)
            switch phase {
            case .start:
                guard position < bytes.count else { return nil }
                if bytes[position] == Grammar.carriageReturn {
                    position &+= 1
                    phase = .emptyLine
                    continue
                }
                phase = .method
                fallthrough

            case .method:
                let methodLimit = lineStart &+ Limits.methodByteLimit
                position = Grammar.end(of: Grammar.token, in: bytes, from: position, to: min(end, methodLimit))
                guard position < bytes.count else { return nil }
                let byte = bytes[position]
                guard byte == Grammar.space, position > lineStart else {
                    if Grammar.token.contains(byte) { throw .methodTooLong }
                    throw byte == Grammar.lineFeed ? .bareLineFeed : .badMethod
                }
                head.method = lineStart..<position
                head.knownMethod = .recognize(head.method, in: bytes)
                if head.knownMethod == .connect { throw .connectRefused }
                position &+= 1
                partStart = position
                phase = .targetStart
                fallthrough

            case .targetStart:
                guard position < bytes.count else { return nil }
                guard bytes[position] == 0x2F else {
                    try beginOtherTarget(bytes, method: head.knownMethod)
                    continue
                }
                position &+= 1
                phase = .path
                fallthrough

            case .path:
                position = Grammar.endOfPlainPath(in: bytes, from: position, to: end)
                guard position < end else { return try incomplete(bytes, lineLimit) }
                switch bytes[position] {
                case Grammar.space:
                    head.path = partStart..<position
                    beginVersion()
                case 0x3F:
                    head.path = partStart..<position
                    position &+= 1
                    partStart = position
                    phase = .query
                case 0x25:
                    head.pathHasPercent = true
                    position &+= 1
                    phase = .firstHexDigit
                case let byte:
                    throw refusal(of: byte)
                }

            case .emptyLine:
                guard position < bytes.count else { return nil }
                guard bytes[position] == Grammar.lineFeed else { throw .bareCarriageReturn }
                position &+= 1
                lineStart = position
                phase = .method

            case .asterisk:
                guard position < bytes.count else { return nil }
                guard bytes[position] == Grammar.space else { throw refusal(of: bytes[position]) }
                head.path = partStart..<position
                beginVersion()

            case .scheme:
                guard position < bytes.count else { return nil }
                guard takeSchemeByte(bytes[position]) else { throw refusal(of: bytes[position]) }

            case .authority:
                position = Grammar.end(of: Grammar.authority, in: bytes, from: position, to: end)
                guard position < end else { return try incomplete(bytes, lineLimit) }
                let text = partStart..<position
                guard HostField.isValid(bytes.extracting(text)) else { throw refusal(of: bytes[position]) }
                authority = text
                partStart = position
                phase = .path

            case .firstHexDigit:
                guard position < end else { return try incomplete(bytes, lineLimit) }
                guard Grammar.hexValue(bytes[position]) != nil else { throw .invalidPercentEncoding }
                position &+= 1
                phase = .secondHexDigit

            case .secondHexDigit:
                guard position < end else { return try incomplete(bytes, lineLimit) }
                guard let digit = Grammar.hexValue(bytes[position]) else { throw .invalidPercentEncoding }
                if digit == 0, bytes[position &- 1] == 0x30 { throw .encodedNull }
                position &+= 1
                phase = .path

            case .query:
                position = Grammar.end(of: Grammar.query, in: bytes, from: position, to: end)
                guard position < end else { return try incomplete(bytes, lineLimit) }
                guard bytes[position] == Grammar.space else { throw refusal(of: bytes[position]) }
                head.query = partStart..<position
                beginVersion()

            case .version:
                // Nearly every line ends in HTTP/1.1 and is complete here.
                if partStart &+ 8 <= end, bytes.word(at: partStart) == Self.http11 {
                    position = partStart &+ 8
                } else {
                    while position < partStart &+ 8 {
                        guard position < end else { return try incomplete(bytes, lineLimit) }
                        try takeVersionByte(bytes[position], into: &head)
                    }
                }
                phase = .carriageReturn
                fallthrough

            case .carriageReturn:
                guard position < bytes.count else { return nil }
                guard bytes[position] == Grammar.carriageReturn else {
                    throw bytes[position] == Grammar.lineFeed ? .bareLineFeed : .badVersion
                }
                guard isSupported else { throw .unsupportedVersion }
                position &+= 1
                phase = .lineFeed
                fallthrough

            case .lineFeed:
                guard position < bytes.count else { return nil }
                guard bytes[position] == Grammar.lineFeed else { throw .bareCarriageReturn }
                return position &+ 1
            }
        }
    }

    /// "HTTP/1.1", the first byte as the lowest.
    private static let http11: UInt64 = 0x312E_312F_5054_5448

    /// Processes the first byte of a target that is not a path: the asterisk of OPTIONS, or a URI (RFC 9112 §3.2.2,
    /// §3.2.4).
    private mutating func beginOtherTarget(_ bytes: Span<UInt8>, method: KnownMethod?) throws(ProtocolError) {
        switch bytes[position] {
        case 0x2A where method == .options: phase = .asterisk
        case 0x48, 0x68: phase = .scheme
        case let byte: throw refusal(of: byte)
        }
        position += 1
    }

    private mutating func beginVersion() {
        position &+= 1
        partStart = position
        phase = .version
    }

    /// All bytes up to the limit or the end were read: nil to wait for more.
    private func incomplete(_ bytes: Span<UInt8>, _ lineLimit: Int) throws(ProtocolError) -> Int? {
        if bytes.count > lineLimit { throw .requestLineTooLong }
        return nil
    }

    /// Why a byte is not allowed in a target; a line end there means that the version is missing (HTTP/0.9).
    private func refusal(of byte: UInt8) -> ProtocolError {
        switch byte {
        case Grammar.carriageReturn: .badVersion
        case Grammar.lineFeed: .bareLineFeed
        default: .badTarget
        }
    }

    /// Processes one byte of `http://` or `https://` after its `h`.
    private mutating func takeSchemeByte(_ byte: UInt8) -> Bool {
        let letter = byte | 0x20
        let isLegal =
            switch position - partStart {
            case 1, 2: letter == 0x74
            case 3: letter == 0x70
            case 4: letter == 0x73 || byte == 0x3A
            case 5: byte == (schemeIsHTTPS ? 0x3A : 0x2F)
            default: byte == 0x2F
            }
        guard isLegal else { return false }
        if position - partStart == 4 { schemeIsHTTPS = byte != 0x3A }
        position += 1
        if position - partStart == (schemeIsHTTPS ? 8 : 7) {
            partStart = position
            phase = .authority
        }
        return true
    }

    /// Processes one byte of `HTTP/d.d`, RFC 9112 §2.3.
    private mutating func takeVersionByte(_ byte: UInt8, into head: inout RequestHead) throws(ProtocolError) {
        let isLegal: Bool
        switch position - partStart {
        case 0: isLegal = byte == 0x48
        case 1, 2: isLegal = byte == 0x54
        case 3: isLegal = byte == 0x50
        case 4: isLegal = byte == 0x2F
        case 5:
            isLegal = Grammar.isDigit(byte)
            isSupported = byte == 0x31
        case 6: isLegal = byte == 0x2E
        default:
            isLegal = Grammar.isDigit(byte)
            isSupported = isSupported && byte <= 0x31
            head.isHTTP11 = byte != 0x30
        }
        guard isLegal else { throw byte == Grammar.lineFeed ? .bareLineFeed : .badVersion }
        position += 1
    }
}
