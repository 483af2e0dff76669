import Formatting
public import HTTP1
public import HTTPTypes

/// An answer by way of `throw`: rendered as `application/problem+json` (RFC 9457).
public struct HTTPError: Error, Sendable {
    /// One broken rule of a request's body.
    public struct FieldError: Equatable, Sendable {
        public let field: String
        public let message: String

        public init(field: String, message: String) {
            self.field = field
            self.message = message
        }
    }

    public let status: HTTPResponse.Status
    /// For the client: what is wrong with this very request, without internals.
    public let detail: String
    public let errors: [FieldError]
    /// Further fields of the answer, for instance Allow or Retry-After.
    public var fields = ResponseFields()
    /// Whether the connection closes after the answer.
    public var closes = false

    public init(_ status: HTTPResponse.Status, _ detail: String, errors: [FieldError] = []) {
        self.status = status
        self.detail = detail
        self.errors = errors
    }

    /// The same with a `Retry-After` of whole seconds (RFC 9110 §10.2.3).
    public func retryAfter(seconds: Int) -> HTTPError {
        var error = self
        error.fields.append(known: "Retry-After", String(seconds))
        return error
    }

    init(_ error: ProtocolError) {
        self.init(HTTPResponse.Status(code: error.status), error.detail)
        closes = true
    }

    /// The answer to `request`, which gives `instance` and `request_id`.
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
        let path = request.path
        if !path.isEmpty {
            json.key("instance")
            json.value(path)
        }
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
    /// Appends a value that the program made itself and that needs no check at the caller's.
    mutating func append(known name: String, _ value: String) {
        do { try append(name, value) } catch { fatalError("\(name): \(value) is no field: \(error)") }
    }
}
