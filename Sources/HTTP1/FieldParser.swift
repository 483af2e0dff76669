/// Parses the field lines of a head up to its blank line, RFC 9112 §5. Each byte is read once, however the bytes are
/// split.
struct FieldParser: Sendable {
    private enum Phase {
        case lineStart, name, valueStart, value, lineFeed, blankLine
    }

    private let headByteLimit: Int
    private let fieldCountLimit: Int
    private var phase = Phase.lineStart
    /// The next byte to read.
    private var position: Int
    private var lineStart: Int
    private var nameEnd = 0
    private var known: KnownField?
    private var valueStart = 0
    /// Bytes of the field lines before this one, without their line ends.
    private var headByteCount = 0
    private var host: Range<Int>?
    private var framing = FramingFields()
    private var connection = ConnectionField()
    private(set) var hasUnknownExpectation = false

    /// - Parameter start: the index after the request line.
    init(limits: Limits, start: Int) {
        headByteLimit = limits.headByteLimit
        fieldCountLimit = limits.fieldCountLimit
        position = start
        lineStart = start
    }

    /// Continues after the last call: nil when the blank line has not arrived, else the index after it.
    mutating func parse(_ bytes: Span<UInt8>, into head: inout RequestHead) throws(ProtocolError) -> Int? {
        while true {
            let lineLimit = lineStart &+ min(Limits.fieldLineByteLimit, headByteLimit &- headByteCount)
            let end = min(bytes.count, lineLimit)
            switch phase {
            case .lineStart:
                guard position < bytes.count else { return nil }
                let byte = bytes[position]
                if byte == Grammar.carriageReturn {
                    position &+= 1
                    phase = .blankLine
                    continue
                }
                if Grammar.isBlank(byte) { throw .lineFolding }
                if head.fields.count >= fieldCountLimit { throw .tooManyFields }
                phase = .name
                fallthrough

            case .name:
                let colon = Grammar.firstIndex(of: 0x3A, in: bytes, from: position, to: end)
                known = KnownField.recognize(lineStart..<colon, in: bytes)
                // Recognised names are tokens.
                if known == nil {
                    position = Grammar.end(of: Grammar.token, in: bytes, from: position, to: colon)
                    guard position == colon else { throw refusal(inName: bytes[position]) }
                }
                position = colon
                guard colon < end else { return try incomplete(bytes, lineLimit) }
                guard colon > lineStart else { throw .invalidFieldName }
                nameEnd = colon
                position &+= 1
                phase = .valueStart
                fallthrough

            case .valueStart:
                while position < end, Grammar.isBlank(bytes[position]) { position &+= 1 }
                // At the limit the line may still end.
                guard position < bytes.count else { return nil }
                valueStart = position
                phase = .value
                fallthrough

            case .value:
                position = Grammar.endOfFieldValue(in: bytes, from: position, to: end)
                guard position < bytes.count else { return nil }
                let byte = bytes[position]
                guard byte == Grammar.carriageReturn else {
                    if byte == Grammar.lineFeed { throw .bareLineFeed }
                    if position == lineLimit { _ = try incomplete(bytes, lineLimit) }
                    throw .invalidFieldValue
                }
                position &+= 1
                phase = .lineFeed
                fallthrough

            case .lineFeed:
                guard position < bytes.count else { return nil }
                guard bytes[position] == Grammar.lineFeed else { throw .bareCarriageReturn }
                try takeLine(bytes, into: &head)
                position &+= 1
                lineStart = position
                phase = .lineStart

            case .blankLine:
                guard position < bytes.count else { return nil }
                guard bytes[position] == Grammar.lineFeed else { throw .bareCarriageReturn }
                return position &+ 1
            }
        }
    }

    /// Why a byte is not allowed in a field's name.
    private func refusal(inName byte: UInt8) -> ProtocolError {
        switch byte {
        case Grammar.space, Grammar.tab: .whitespaceBeforeColon
        case Grammar.lineFeed: .bareLineFeed
        default: .invalidFieldName
        }
    }

    /// Combines all fields into host, framing and persistence.
    ///
    /// - Parameters:
    ///   - authority: of an absolute target; the Host field must be equal (RFC 9112 §3.2.2), or a proxy that obeys one
    ///     and this server, which obeys the other, would serve different sites.
    ///   - isHTTPS: whether the scheme of an absolute target is https, and not http.
    func finish(
        _ bytes: Span<UInt8>, authority: Range<Int>?, isHTTPS: Bool, into head: inout RequestHead
    ) throws(ProtocolError) {
        if let host {
            if let authority {
                let isSame = HostField.isSame(
                    bytes.extracting(host), bytes.extracting(authority), defaultPort: isHTTPS ? 443 : 80)
                guard isSame else { throw .hostMismatch }
            }
        } else if head.isHTTP11 {
            throw .missingHost
        }
        head.framing = try framing.framing(isHTTP11: head.isHTTP11)
        head.keepAlive = connection.keepAlive(isHTTP11: head.isHTTP11)
    }

    /// All bytes up to the limit or the end were read: nil to wait for more.
    private func incomplete(_ bytes: Span<UInt8>, _ lineLimit: Int) throws(ProtocolError) -> Int? {
        guard bytes.count > lineLimit else { return nil }
        throw lineLimit - lineStart == Limits.fieldLineByteLimit ? .fieldTooLong : .headTooLong
    }

    /// Ends a line at the CR before `position`.
    @inline(__always)
    private mutating func takeLine(_ bytes: Span<UInt8>, into head: inout RequestHead) throws(ProtocolError) {
        let lineEnd = position &- 1
        var valueEnd = lineEnd
        while valueEnd > valueStart, Grammar.isBlank(bytes[valueEnd &- 1]) { valueEnd &-= 1 }
        let name = lineStart..<nameEnd
        let value = valueStart..<valueEnd
        headByteCount &+= lineEnd &- lineStart
        head.fields.append(Field(name: name, value: value, known: known))
        switch known {
        case .host:
            guard host == nil else { throw .repeatedHost }
            guard HostField.isValid(bytes.extracting(value)) else { throw .invalidHost }
            host = value
        case .contentLength: try framing.takeContentLength(bytes.extracting(value))
        case .transferEncoding: try framing.takeTransferEncoding(bytes.extracting(value))
        case .connection: try connection.take(bytes.extracting(value))
        case .expect:
            // A server ignores it in HTTP/1.0, RFC 9110 §10.1.1.
            guard head.isHTTP11 else { break }
            if Grammar.isToken(bytes.extracting(value)), value.count == 12,
                bytes.token(at: value.lowerBound, is: "100-continue")
            {
                head.expectsContinue = true
            } else {
                hasUnknownExpectation = true
            }
        default: break
        }
    }
}
