import Formatting
public import HTTP1
public import HTTPTypes

/// An error response that handlers throw, rendered as `application/problem+json` (RFC 9457).
public struct HTTPError: Error, Sendable {
    /// One broken rule of a request's body.
    public struct FieldError: Equatable, Sendable {
        /// The names and positions of `pointer`, separated by dots: `lines.1.amount`.
        public let field: String
        public let message: String
        /// The place of the member in the body, as a JSON Pointer (RFC 6901): `/lines/1/amount`.
        public let pointer: String

        /// - Parameter field: the name of a member of the body itself.
        public init(field: String, message: String) {
            self.field = field
            self.message = message
            pointer = Self.pointer(to: [field])
        }

        /// - Parameter path: the names and positions from the body to the member: `["lines", "1", "amount"]`.
        public init(path: [String], message: String) {
            field = path.joined(separator: ".")
            self.message = message
            pointer = Self.pointer(to: path)
        }

        private static func pointer(to path: [String]) -> String {
            path.map { name in
                var step = "/"
                for scalar in name.unicodeScalars {
                    switch scalar {
                    case "~": step += "~0"
                    case "/": step += "~1"
                    default: step.unicodeScalars.append(scalar)
                    }
                }
                return step
            }.joined()
        }
    }

    public let status: HTTPResponse.Status
    /// A sentence for the client: what is wrong with this request, without internals.
    public let detail: String
    public let errors: [FieldError]
    /// The problem's type; nil for `Problem.validation` at 422, and for `about:blank` at any other status.
    public internal(set) var problem: Problem?
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

    /// The same error with this type, which should be one of `Problem.all`: those have pages at their paths.
    public func of(_ problem: Problem) -> HTTPError {
        var error = self
        error.problem = problem
        return error
    }

    /// The response for a path without a route.
    public static let nothingHere = HTTPError(.notFound, "There is nothing here.")

    /// The response when a request needs more memory than the budget has.
    static let outOfMemory = HTTPError(.serviceUnavailable, "The server has too little free memory for this request.")
        .of(.unavailable).retryAfter(seconds: 1)

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
    ///
    /// - Parameter basePath: the app's, which precedes the path of the problem's type.
    func response(to request: Request, under basePath: String) -> Response {
        var json = JSONWriter(reserving: 256)
        json.beginObject()
        json.key("type")
        let problem = problem ?? (status == .unprocessableContent ? .validation : nil)
        json.value(problem?.path(under: basePath) ?? "about:blank")
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
                json.key("pointer")
                json.value(error.pointer)
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
        if fields.value("Cache-Control") == nil, fields.hasRoom(for: .notStored) { response.fields.append(.notStored) }
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
