import HTTP1
public import HTTPTypes

extension HTTPError {
    /// The response to a request whose write was not confirmed. It has the type `Problem.outcomeUnknown` when the method
    /// may change something, and no type otherwise. It has `Retry-After` when the request has an `Idempotency-Key` or a
    /// precondition.
    ///
    /// - Parameter status: 503 or 504.
    public init(unknownOutcomeOf request: Request, _ status: HTTPResponse.Status, _ detail: String) {
        self.init(status, detail)
        guard request.mayChange else { return }
        problem = .outcomeUnknown
        // Many clients repeat every request whose response has Retry-After.
        if request.isRepeatable { self = retryAfter(seconds: 1) }
    }
}

extension Request {
    /// Whether its method may change something: all but the safe ones (RFC 9110 §9.2.1).
    public var mayChange: Bool {
        switch head.knownMethod {
        case .get, .head, .options, .trace, nil: false
        default: true
        }
    }

    /// Whether the server recognises a repetition of the request, by a key or a precondition.
    fileprivate var isRepeatable: Bool {
        [.idempotencyKey, .ifMatch, .ifNoneMatch].contains { head.fields.contains($0) }
    }
}
