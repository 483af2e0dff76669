/// Why a request has no answer. Contains host names, never paths, headers or bodies.
public enum TransferError: Error, Equatable, Sendable {
    /// Not an absolute http or https URL, or one with a user name.
    case invalidURL
    /// A header field whose value has a control character. The value is its name.
    case invalidHeader(String)
    /// The host name has no address, or DNS is away.
    case unresolved(host: String)
    /// The connection is refused, or there is no route to the host.
    case unreachable(host: String)
    /// No answer in time. `connected`: the connection was accepted.
    case timedOut(host: String, connected: Bool)
    /// The server's certificate or the handshake failed. The reason is libcurl's.
    case tls(host: String, reason: String)
    /// The answer is larger than any expected one.
    case tooLarge(host: String, limit: Int)
    /// Any other error of libcurl, with its text.
    case failed(host: String, reason: String)
    /// The loaded libcurl is older than 7.88 and signs incorrectly.
    case signingUnsupported
}

extension TransferError: CustomStringConvertible {
    /// One line for a log.
    public var description: String {
        switch self {
        case .invalidURL: "the URL is not an absolute http or https URL without a user name"
        case .invalidHeader(let name): "the value of the header field \(name) contains a control character"
        case .unresolved(let host): "\(host) cannot be resolved"
        case .unreachable(let host): "\(host) cannot be reached"
        case .timedOut(let host, connected: false): "\(host) did not accept a connection in time"
        case .timedOut(let host, connected: true): "\(host) did not answer in time"
        case .tls(let host, let reason): "no TLS connection to \(host): \(reason)"
        case .tooLarge(let host, let limit): "\(host) answered with more than \(limit) bytes"
        case .failed(let host, let reason): "the request to \(host) failed: \(reason)"
        case .signingUnsupported: "this libcurl is older than 7.88 and cannot sign requests"
        }
    }
}

extension TransferError {
    /// Whether the same request may succeed a moment later.
    var isTransient: Bool {
        switch self {
        case .unresolved, .unreachable, .timedOut, .failed: true
        case .invalidURL, .invalidHeader, .tls, .tooLarge, .signingUnsupported: false
        }
    }
}
