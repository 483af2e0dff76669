/// How the end of a request's body is found, RFC 9112 §6.3. A request without framing fields has no body.
public enum BodyFraming: Equatable, Sendable {
    /// There is no body.
    case none
    /// This many bytes follow; may be 0.
    case length(Int)
    /// Chunks follow, for a `ChunkedDecoder`.
    case chunked
}

/// The framing fields of one head so far.
///
/// A proxy in front may obey one of two contradictory fields and this server the other; then the proxy's body is this
/// server's next request. So nothing is selected and nothing is repaired.
struct FramingFields: Sendable {
    private var contentLength: Int?
    private var isChunked = false

    /// Processes one Content-Length field: digits only, RFC 9110 §8.6. A second one is refused even when it is equal.
    mutating func takeContentLength(_ value: Span<UInt8>) throws(ProtocolError) {
        guard contentLength == nil else { throw .repeatedContentLength }
        guard value.count > 0 else { throw .invalidContentLength }
        var length = 0
        for index in value.indices {
            guard Grammar.isDigit(value[index]) else { throw .invalidContentLength }
            let (shifted, overflow) = length.multipliedReportingOverflow(by: 10)
            let (sum, carry) = shifted.addingReportingOverflow(Int(value[index] &- 0x30))
            guard !overflow && !carry else { throw .invalidContentLength }
            length = sum
        }
        contentLength = length
    }

    /// Processes one Transfer-Encoding field: `chunked` in any case and nothing else.
    ///
    /// RFC 9112 §6.1 lets a server answer 501 to an unknown coding; 400 also says that nothing after this head is read
    /// as a message.
    mutating func takeTransferEncoding(_ value: Span<UInt8>) throws(ProtocolError) {
        guard !isChunked else { throw .repeatedTransferEncoding }
        guard Grammar.isToken(value) else { throw .invalidTransferEncoding }
        guard value.count == 7, value.token(at: 0, is: "chunked") else { throw .unsupportedTransferCoding }
        isChunked = true
    }

    /// The framing once all fields were processed.
    func framing(isHTTP11: Bool) throws(ProtocolError) -> BodyFraming {
        guard isChunked else {
            guard let contentLength else { return .none }
            return .length(contentLength)
        }
        guard isHTTP11 else { throw .transferEncodingInHTTP10 }
        guard contentLength == nil else { throw .conflictingFraming }
        return .chunked
    }
}
