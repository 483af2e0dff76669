/// Why a request was refused. After any of these errors but `bodyTooLarge` nothing more is read from the connection, because
/// the start of the next message is unknown.
///
/// The raw value is the reason in metrics and logs.
public enum ProtocolError: String, Error, CaseIterable, Sendable {
    case badMethod = "bad_method"
    case methodTooLong = "method_too_long"
    case connectRefused = "connect_refused"
    case badTarget = "bad_target"
    case invalidPercentEncoding = "invalid_percent_encoding"
    case encodedNull = "encoded_null"
    case invalidUTF8 = "invalid_utf8"
    case tooManyQueryItems = "too_many_query_items"
    case badVersion = "bad_version"
    case unsupportedVersion = "unsupported_version"
    case requestLineTooLong = "request_line_too_long"

    case bareLineFeed = "bare_line_feed"
    case bareCarriageReturn = "bare_carriage_return"
    case invalidFieldName = "invalid_field_name"
    case whitespaceBeforeColon = "whitespace_before_colon"
    case lineFolding = "line_folding"
    case invalidFieldValue = "invalid_field_value"
    case fieldTooLong = "field_too_long"
    case headTooLong = "head_too_long"
    case tooManyFields = "too_many_fields"

    case missingHost = "missing_host"
    case repeatedHost = "repeated_host"
    case invalidHost = "invalid_host"
    case hostMismatch = "host_mismatch"
    case invalidConnection = "invalid_connection"
    case unsupportedExpectation = "unsupported_expectation"

    case invalidContentLength = "invalid_content_length"
    case repeatedContentLength = "repeated_content_length"
    case conflictingFraming = "conflicting_framing"
    case invalidTransferEncoding = "invalid_transfer_encoding"
    case repeatedTransferEncoding = "repeated_transfer_encoding"
    case transferEncodingInHTTP10 = "transfer_encoding_in_http10"
    case unsupportedTransferCoding = "unsupported_transfer_coding"
    case unexpectedContent = "unexpected_content"
    case bodyTooLarge = "body_too_large"

    case invalidChunkSize = "invalid_chunk_size"
    case tooManyChunks = "too_many_chunks"
    case invalidChunkExtension = "invalid_chunk_extension"
    case chunkExtensionTooLong = "chunk_extension_too_long"
    case invalidChunkTerminator = "invalid_chunk_terminator"
    case trailerTooLong = "trailer_too_long"
    case tooManyTrailers = "too_many_trailers"

    /// The status code of the answer: 400, 413, 414, 417, 431, 501 or 505.
    public var status: Int {
        switch self {
        case .bodyTooLarge: 413
        case .requestLineTooLong: 414
        case .unsupportedExpectation: 417
        case .fieldTooLong, .headTooLong, .tooManyFields, .trailerTooLong, .tooManyTrailers: 431
        case .methodTooLong, .connectRefused: 501
        case .unsupportedVersion: 505
        case .badMethod, .badTarget, .invalidPercentEncoding, .encodedNull, .invalidUTF8, .tooManyQueryItems,
            .badVersion, .bareLineFeed, .bareCarriageReturn, .invalidFieldName, .whitespaceBeforeColon, .lineFolding,
            .invalidFieldValue, .missingHost, .repeatedHost, .invalidHost, .hostMismatch, .invalidConnection,
            .invalidContentLength, .repeatedContentLength, .conflictingFraming, .invalidTransferEncoding,
            .repeatedTransferEncoding, .transferEncodingInHTTP10, .unsupportedTransferCoding, .unexpectedContent,
            .invalidChunkSize, .tooManyChunks, .invalidChunkExtension, .chunkExtensionTooLong, .invalidChunkTerminator:
            400
        }
    }

    /// Whether the refused head is complete and well-formed when `RequestParser` throws: then the answer can name the
    /// request.
    public var isHeadComplete: Bool {
        switch self {
        case .bodyTooLarge, .unsupportedExpectation, .unexpectedContent: true
        default: false
        }
    }

    /// Whether only `QueryItems` throws it: the message was read, and a handler that reads its query refuses it.
    public var isOfQuery: Bool {
        switch self {
        case .invalidUTF8, .tooManyQueryItems: true
        default: false
        }
    }

    /// A label for metrics and logs: lower-case letters, digits and underscores.
    public var reason: String { rawValue }

    /// One sentence for the client; contains nothing that the client sent.
    public var detail: String {
        switch self {
        case .badMethod: "The method is not a token."
        case .methodTooLong: "The method is longer than any this server knows."
        case .connectRefused: "This server is not a proxy; CONNECT is not implemented."
        case .badTarget: "The request target is malformed or not allowed with this method."
        case .invalidPercentEncoding: "A percent sign is not followed by two hexadecimal digits."
        case .encodedNull: "The request target contains an encoded null character."
        case .invalidUTF8: "The request target does not decode to UTF-8."
        case .tooManyQueryItems: "The query has too many parameters."
        case .badVersion: "The request line does not end with an HTTP version."
        case .unsupportedVersion: "Only HTTP/1.1 and HTTP/1.0 are supported."
        case .requestLineTooLong: "The request line is longer than 16384 bytes."
        case .bareLineFeed: "A line ends with LF alone instead of CR LF."
        case .bareCarriageReturn: "A CR is not followed by LF."
        case .invalidFieldName: "A field name is empty or contains a character that is not allowed."
        case .whitespaceBeforeColon: "A field name contains white space or is separated from its colon by white space."
        case .lineFolding: "A field line begins with white space; line folding is not allowed."
        case .invalidFieldValue: "A field value contains a control character."
        case .fieldTooLong: "A field line is longer than 16384 bytes."
        case .headTooLong: "The header fields are too large."
        case .tooManyFields: "The request has too many header fields."
        case .missingHost: "The Host field is missing."
        case .repeatedHost: "The Host field occurs more than once."
        case .invalidHost: "The Host field is not a host with an optional port."
        case .hostMismatch: "The Host field differs from the authority of the request target."
        case .invalidConnection: "The Connection field is not a list of tokens."
        case .unsupportedExpectation: "The only expectation supported is 100-continue."
        case .invalidContentLength: "The Content-Length field is not one decimal number."
        case .repeatedContentLength: "The Content-Length field occurs more than once."
        case .conflictingFraming: "Content-Length and Transfer-Encoding exclude each other."
        case .invalidTransferEncoding: "The Transfer-Encoding field must be exactly \"chunked\"."
        case .repeatedTransferEncoding: "The Transfer-Encoding field occurs more than once."
        case .transferEncodingInHTTP10: "Transfer-Encoding is not allowed in HTTP/1.0."
        case .unsupportedTransferCoding: "The only transfer coding supported is chunked."
        case .unexpectedContent: "GET and HEAD have no content."
        case .bodyTooLarge: "The request body is too large."
        case .invalidChunkSize: "A chunk's size is not a hexadecimal number of at most 15 digits."
        case .tooManyChunks: "The request body has too many chunks."
        case .invalidChunkExtension: "A chunk extension is malformed."
        case .chunkExtensionTooLong: "The chunk extensions are too long."
        case .invalidChunkTerminator: "A chunk's data is not followed by CR LF."
        case .trailerTooLong: "The trailer fields are too large."
        case .tooManyTrailers: "The request has too many trailer fields."
        }
    }
}
