import Formatting
public import HTTP1
import HTTPTypes

/// Which pages of other origins may use an app, and what follows from where a request comes from (Fetch Standard, "CORS
/// protocol"; W3C Fetch Metadata). Never with cookies or other credentials of the browser.
public struct CrossOrigin: Sendable {
    /// More than a service has front ends. A request with an `Origin` is compared with each.
    public static let originLimit = 32
    /// How long a browser may keep the answer to a preflight, in seconds.
    private static let preflightSeconds: StaticString = "600"
    /// The fields of answers that a page may read, beyond those that every page may.
    private static let exposedFields: StaticString = """
        ETag, Link, Location, Content-Location, Retry-After, RateLimit, RateLimit-Policy, X-Request-Id, \
        Idempotent-Replayed, Preference-Applied
        """
    /// The fields of requests that a page may send, beyond those that every page may.
    private static let requestFields: StaticString = """
        Authorization, Content-Type, Idempotency-Key, If-Match, If-None-Match, Prefer, X-Request-Id
        """

    /// No origin but the app's own.
    public static let none = CrossOrigin([])

    private let origins: [Origin]
    /// Whether no page of another origin may use the app: then no answer differs by `Origin`.
    let isEmpty: Bool

    /// - Parameter origins: those of the pages that may read and change what the app serves; at most `originLimit`.
    public init(_ origins: [Origin]) {
        precondition(origins.count <= Self.originLimit, "\(origins.count) origins are too many")
        self.origins = origins
        isEmpty = origins.isEmpty
    }

    /// Why a request is refused; nil when it is not.
    ///
    /// A page can make a browser send some requests without asking the server first, and is only kept from reading the
    /// answer. The browser says so in `Sec-Fetch-Site`, which no page can set.
    func refusal(of request: Request) -> HTTPError? {
        guard request.mayChange, let range = request.head.firstRange(of: .secFetchSite) else { return nil }
        let bytes = request.head.bytes
        let site = bytes.span.extracting(range)
        guard site.equals("cross-site") || site.equals("same-site"), origin(of: request) == nil else { return nil }
        return HTTPError(.forbidden, "Pages of this origin may not change anything here.")
    }

    /// Adds the fields that an answer has because of the request's origin. Without room for them the answer stays as it
    /// is, and no page can read it.
    func finish(_ response: inout Response, for request: Request) {
        if isEmpty { return }
        let fields = fields(of: response, for: request)
        if response.fields.hasRoom(for: fields) { response.fields.append(fields) }
    }

    private func fields(of response: Response, for request: Request) -> ResponseFields {
        var fields = ResponseFields()
        // Also where the request has none: a cache would give that answer to a page.
        fields.append(literal: "Vary", "Origin")
        guard let origin = origin(of: request) else { return fields }
        fields.append(known: "Access-Control-Allow-Origin", origin.text)
        if Self.isPreflight(request), let methods = response.fields.value("Allow") {
            fields.append(known: "Access-Control-Allow-Methods", methods)
            fields.append(literal: "Access-Control-Allow-Headers", Self.requestFields)
            fields.append(literal: "Access-Control-Max-Age", Self.preflightSeconds)
        } else {
            fields.append(literal: "Access-Control-Expose-Headers", Self.exposedFields)
        }
        return fields
    }

    /// Whether a browser asks which requests of a page it may send.
    private static func isPreflight(_ request: Request) -> Bool {
        request.head.knownMethod == .options && request.head.value("Access-Control-Request-Method") != nil
    }

    /// The allowed origin that the request comes from; nil when it comes from another one, or names none.
    private func origin(of request: Request) -> Origin? {
        guard !isEmpty, let range = request.head.firstRange(of: .origin), !request.head.fields.isRepeated(.origin)
        else { return nil }
        let bytes = request.head.bytes
        for origin in origins where bytes.span.extracting(range).equals(origin.text.utf8.span) { return origin }
        return nil
    }
}
