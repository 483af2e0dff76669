import Formatting
public import HTTP1
public import HTTPTypes

/// An error response that handlers throw, rendered as `application/problem+json` (RFC 9457).
public struct HTTPError: Error, Sendable {
    /// One invalid field of a request's body.
    public struct FieldError: Equatable, Sendable {
        public let field: String
        public let message: String

        public init(field: String, message: String) {
            self.field = field
            self.message = message
        }
    }

    public let status: HTTPResponse.Status
    /// A sentence for the client: what is wrong with this request, without internals.
    public let detail: String
    public let errors: [FieldError]
    /// Additional header fields, for instance Allow or Retry-After.
    public var fields = ResponseFields()
    /// Whether the connection closes after the response.
    public var closes = false

    public init(_ status: HTTPResponse.Status, _ detail: String, errors: [FieldError] = []) {
        self.status = status
        self.detail = detail
        self.errors = errors
    }

    /// Adds `Retry-After` in whole seconds (RFC 9110 §10.2.3).
    public func retryAfter(seconds: Int) -> HTTPError {
        var error = self
        error.fields.append(known: "Retry-After", String(seconds))
        return error
    }

    /// The response for a path without a route.
    public static let nothingHere = HTTPError(.notFound, "There is nothing here.")

    /// The response when a request needs more memory than the budget has.
    static let outOfMemory = HTTPError(.serviceUnavailable, "The server has too little free memory for this request.")
        .retryAfter(seconds: 1)

    init(_ error: ProtocolError) {
        self.init(Self.status(error.status), error.detail)
        closes = true
    }

    /// The status with its reason phrase, which `HTTPResponse.Status(code:)` does not add.
    private static func status(_ code: Int) -> HTTPResponse.Status {
        switch code {
        case 413: .contentTooLarge
        case 414: .uriTooLong
        case 417: .expectationFailed
        case 431: .requestHeaderFieldsTooLarge
        case 501: .notImplemented
        case 505: .httpVersionNotSupported
        default: .badRequest
        }
    }

    /// The response to `request`, whose path and identifier become `instance` and `request_id`.
    func response(to request: Request) -> Response {
        var json = JSONWriter(reserving: 256)
        json.beginObject()
        json.key("type")
        json.value("about:blank")
        json.key("title")
        json.value(status.reasonPhrase)
        json.key("status")
        json.value(status.code)
        json.key("detail")
        json.value(detail)
        json.key("instance")
        // A message that could not be parsed has no path.
        json.value(request.head.path.isEmpty ? "about:blank" : request.path)
        json.key("request_id")
        json.value(request.requestID)
        if !errors.isEmpty {
            json.key("errors")
            json.beginArray()
            for error in errors {
                json.beginObject()
                json.key("field")
                json.value(error.field)
                json.key("message")
                json.value(error.message)
                json.endObject()
            }
            json.endArray()
        }
        json.endObject()
        var response = Response(status: status, contentType: "application/problem+json", body: json.bytes)
        response.fields = fields
        response.closes = closes
        return response
    }
}

extension ResponseFields {
    /// Appends a value from the program itself; an invalid one is a bug and traps.
    mutating func append(known name: String, _ value: String) {
        do { try append(name, value) } catch { fatalError("\(name): \(value) is not a valid field: \(error)") }
    }
}
