/// How the end of a request's body is found, RFC 9112 §6.3. A request without framing fields has no body.
public enum BodyFraming: Equatable, Sendable {
    /// There is no body.
    case none
    /// That many bytes follow; may be 0.
    case length(Int)
    /// Chunks follow, for a `ChunkedDecoder`.
    case chunked
}

/// What the fields of one head have said about its framing so far.
///
/// A proxy before us may follow one of two contradicting fields and we the other, and what it takes for a body we would
/// take for the next request. So nothing is picked and nothing is repaired.
struct FramingFields: Sendable {
    private var contentLength: Int?
    private var isChunked = false

    /// One Content-Length field: digits only, RFC 9110 §8.6. A second one is refused even when it is equal.
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

    /// One Transfer-Encoding field: `chunked` in any case and nothing else.
    ///
    /// RFC 9112 §6.1 lets a server answer 501 to a coding it does not know; 400 says as well that nothing behind this
    /// head is read as a message.
    mutating func takeTransferEncoding(_ value: Span<UInt8>) throws(ProtocolError) {
        guard !isChunked else { throw .repeatedTransferEncoding }
        guard Grammar.isToken(value) else { throw .invalidTransferEncoding }
        guard value.count == 7, value.token(at: 0, is: "chunked") else { throw .unsupportedTransferCoding }
        isChunked = true
    }

    /// The framing once all fields were taken.
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
