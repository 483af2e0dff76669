/// Why a request brought no answer. Names hosts, never paths, headers or bodies.
public enum TransferError: Error, Equatable, Sendable {
    /// No absolute http or https URL, or one with a user's name in it.
    case invalidURL
    /// A header field whose value holds a control character; its name.
    case invalidHeader(String)
    /// The host's name has no address, or DNS is away.
    case unresolved(host: String)
    /// Nobody listens, or there is no way there.
    case unreachable(host: String)
    /// No answer in time. Connected: somebody listens and says nothing.
    case timedOut(host: String, connected: Bool)
    /// The server's certificate or the handshake; in libcurl's words.
    case tls(host: String, reason: String)
    /// The answer is larger than any that is expected.
    case tooLarge(host: String, limit: Int)
    /// Whatever else libcurl reports, in its words.
    case failed(host: String, reason: String)
    /// The loaded libcurl signs wrongly: it is older than 7.88.
    case signingUnsupported
}

extension TransferError: CustomStringConvertible {
    /// One line, fit for a log.
    public var description: String {
        switch self {
        case .invalidURL: "the URL is no absolute http or https URL without a user name"
        case .invalidHeader(let name): "the value for the header field \(name) holds a control character"
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
    /// Whether the same request may get through a moment later.
    var isTransient: Bool {
        switch self {
        case .unresolved, .unreachable, .timedOut, .failed: true
        case .invalidURL, .invalidHeader, .tls, .tooLarge, .signingUnsupported: false
        }
    }
}
