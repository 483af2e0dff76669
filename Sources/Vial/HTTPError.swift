import Formatting
public import HTTP1
public import HTTPTypes

/// An error response that handlers throw, rendered as `application/problem+json` (RFC 9457).
public struct HTTPError: Error, Sendable {
    /// One invalid field of a request's body.
    public struct FieldError: Equatable, Sendable {
        public let field: String
        public let message: String
        /// The member's place in the body (JSON Pointer, RFC 6901); nil when only its name is known.
        public let pointer: String?

        public init(field: String, message: String) {
            self.field = field
            self.message = message
            pointer = nil
        }

        /// - Parameter path: the names and positions from the body to the member: `["parts", "1", "size"]`.
        public init(path: [String], message: String) {
            field = path.joined(separator: ".")
            self.message = message
            pointer = path.map { "/" + Self.escaped($0) }.joined()
        }

        /// A name as a pointer has it: `~` and `/` would end it.
        private static func escaped(_ name: String) -> String {
            name.reduce(into: "") { $0 += $1 == "~" ? "~0" : $1 == "/" ? "~1" : String($1) }
        }
    }

    public let status: HTTPResponse.Status
    /// A sentence for the client: what is wrong with this request, without internals.
    public let detail: String
    public let errors: [FieldError]
    /// Distinguishes the problem for programs: the last segment of `type`, `/problems/NAME`. Nil: `about:blank`, the
    /// status says it all.
    public let problem: String?
    /// Additional header fields, for instance Allow or Retry-After.
    public var fields = ResponseFields()
    /// Whether the connection closes after the response.
    public var closes = false

    public init(
        _ status: HTTPResponse.Status, _ detail: String, errors: [FieldError] = [], problem: String? = nil
    ) {
        self.status = status
        self.detail = detail
        self.errors = errors
        self.problem = problem
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
    ///
    /// - Parameter basePath: the app's.
    func response(to request: Request, under basePath: String = "") -> Response {
        var json = JSONWriter(reserving: 256)
        json.beginObject()
        json.key("type")
        json.value(problem.map { "\(basePath)/problems/\($0)" } ?? "about:blank")
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
                if let pointer = error.pointer {
                    json.key("pointer")
                    json.value(pointer)
                }
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
