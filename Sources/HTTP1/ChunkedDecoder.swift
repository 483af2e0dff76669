import Formatting

/// Decodes one chunked body, RFC 9112 §7.1; create a new one for each message.
///
/// Trailer fields are checked like other field lines and dropped: a field after the body must not change anything.
public struct ChunkedDecoder: Sendable {
    private enum Phase {
        case size, extensionStart, extensionName, valueStart, token, quoted, quotedPair, valueEnd, sizeLineFeed
        case data, dataCarriageReturn, dataLineFeed
        case trailerStart, trailerName, trailerValue, trailerLineFeed, lastLineFeed
    }

    private let bodyByteLimit: Int
    private let takesContent: Bool
    private let keepsContent: Bool
    private var phase = Phase.size
    private var sizeDigitCount = 0
    /// The current chunk's size while it is read, then the rest of its data.
    private var remaining = 0
    private var chunkCount = 0
    private var bodyByteCount = 0
    private var extensionByteCount = 0
    private var trailerByteCount = 0
    private var trailerCount = 0

    /// Whether the last chunk, the trailers and the final blank line were read.
    public private(set) var isComplete = false

    /// A decoder for one body, before its first chunk.
    ///
    /// - Parameters:
    ///   - takesContent: whether data is allowed; if not, only an empty body is accepted.
    ///   - keepsContent: whether data is appended to the body; if not, it is checked and dropped, up to
    ///     `Limits.droppedBodyByteLimit`.
    public init(limits: Limits, takesContent: Bool = true, keepsContent: Bool = true) {
        bodyByteLimit = keepsContent ? limits.bodyByteLimit : Limits.droppedBodyByteLimit
        self.takesContent = takesContent
        self.keepsContent = keepsContent
    }

    /// Decodes `input` from its start and appends data to `body`. After an error the decoder must not be used again.
    ///
    /// - Returns: the bytes consumed: all of `input`, unless the body was completed within it.
    public mutating func decode(_ input: Span<UInt8>, into body: inout [UInt8]) throws(ProtocolError) -> Int {
        var position = 0
        while position < input.count, !isComplete {
            if phase == .data {
                let end = position + min(remaining, input.count - position)
                if keepsContent { body.append(span: input.extracting(position..<end)) }
                remaining -= end - position
                position = end
                if remaining == 0 { phase = .dataCarriageReturn }
            } else {
                try take(input[position])
                position += 1
            }
        }
        return position
    }

    private mutating func take(_ byte: UInt8) throws(ProtocolError) {
        switch phase {
        case .size: try takeSize(byte)
        case .extensionStart, .extensionName, .valueStart, .token, .quoted, .quotedPair, .valueEnd:
            if byte != Grammar.carriageReturn { try countExtensionByte() }
            try takeExtension(byte)
        case .sizeLineFeed:
            guard byte == Grammar.lineFeed else { throw .bareCarriageReturn }
            try beginChunk()
        case .data: fatalError("chunk data is taken whole")
        case .dataCarriageReturn:
            guard byte == Grammar.carriageReturn else { throw .invalidChunkTerminator }
            phase = .dataLineFeed
        case .dataLineFeed:
            guard byte == Grammar.lineFeed else { throw .invalidChunkTerminator }
            phase = .size
        case .trailerStart, .trailerName, .trailerValue: try takeTrailer(byte)
        case .trailerLineFeed:
            guard byte == Grammar.lineFeed else { throw .bareCarriageReturn }
            phase = .trailerStart
        case .lastLineFeed:
            guard byte == Grammar.lineFeed else { throw .bareCarriageReturn }
            isComplete = true
        }
    }

    private mutating func takeSize(_ byte: UInt8) throws(ProtocolError) {
        if let digit = Grammar.hexValue(byte) {
            guard sizeDigitCount < Limits.chunkSizeDigitLimit else { throw .invalidChunkSize }
            sizeDigitCount += 1
            remaining = remaining << 4 | Int(digit)
            return
        }
        guard sizeDigitCount > 0 else { throw .invalidChunkSize }
        switch byte {
        case Grammar.carriageReturn: phase = .sizeLineFeed
        case Grammar.lineFeed: throw .bareLineFeed
        case 0x3B:
            phase = .extensionStart
            try countExtensionByte()
        default: throw .invalidChunkSize
        }
    }

    private mutating func countExtensionByte() throws(ProtocolError) {
        extensionByteCount += 1
        if extensionByteCount > Limits.chunkExtensionByteLimit { throw .chunkExtensionTooLong }
    }

    private mutating func beginChunk() throws(ProtocolError) {
        sizeDigitCount = 0
        guard remaining > 0 else {
            phase = .trailerStart
            return
        }
        guard takesContent else { throw .unexpectedContent }
        chunkCount += 1
        guard chunkCount <= Limits.chunkCountLimit else { throw .tooManyChunks }
        guard remaining <= bodyByteLimit - bodyByteCount else { throw .bodyTooLarge }
        bodyByteCount += remaining
        phase = .data
    }

    /// `;name`, `;name=token` or `;name="quoted"`, RFC 9112 §7.1.1.
    ///
    /// Quotes must be closed: a parser that looks for the closing quote and one that looks for the line end would find
    /// different chunks. White space around the semicolon and the equals sign, which a recipient may remove, is
    /// refused: other servers refuse it too, and no client sends it.
    private mutating func takeExtension(_ byte: UInt8) throws(ProtocolError) {
        if byte == Grammar.lineFeed { throw .bareLineFeed }
        switch phase {
        case .extensionStart where Grammar.token.contains(byte): phase = .extensionName
        case .extensionName where Grammar.token.contains(byte), .token where Grammar.token.contains(byte): break
        case .extensionName where byte == 0x3D: phase = .valueStart
        case .valueStart where Grammar.token.contains(byte): phase = .token
        case .valueStart where byte == 0x22: phase = .quoted
        case .quoted where byte == 0x22: phase = .valueEnd
        case .quoted where byte == 0x5C: phase = .quotedPair
        case .quoted where Grammar.isFieldValue(byte), .quotedPair where Grammar.isFieldValue(byte): phase = .quoted
        case .extensionName where byte == 0x3B, .token where byte == 0x3B, .valueEnd where byte == 0x3B:
            phase = .extensionStart
        case .extensionName where byte == Grammar.carriageReturn, .token where byte == Grammar.carriageReturn,
            .valueEnd where byte == Grammar.carriageReturn:
            phase = .sizeLineFeed
        default: throw .invalidChunkExtension
        }
    }

    private mutating func takeTrailer(_ byte: UInt8) throws(ProtocolError) {
        if byte == Grammar.lineFeed { throw .bareLineFeed }
        if byte == Grammar.carriageReturn, phase != .trailerName {
            phase = phase == .trailerStart ? .lastLineFeed : .trailerLineFeed
            return
        }
        trailerByteCount += 1
        if phase == .trailerValue {
            guard Grammar.isFieldValue(byte) else { throw .invalidFieldValue }
        } else {
            if phase == .trailerStart {
                if Grammar.isBlank(byte) { throw .lineFolding }
                trailerCount += 1
                guard trailerCount <= Limits.trailerCountLimit else { throw .tooManyTrailers }
            }
            if byte == 0x3A, phase == .trailerName {
                phase = .trailerValue
            } else {
                if Grammar.isBlank(byte) { throw .whitespaceBeforeColon }
                guard Grammar.token.contains(byte) else { throw .invalidFieldName }
                phase = .trailerName
            }
        }
        guard trailerByteCount <= Limits.trailerByteLimit else { throw .trailerTooLong }
    }
}
