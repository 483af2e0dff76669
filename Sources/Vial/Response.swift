public import Formatting
public import HTTP1
public import HTTPTypes

/// A value that writes itself as JSON.
public protocol JSONRepresentable {
    /// Writes exactly one value.
    func write(to json: inout JSONWriter) throws
    /// About how many bytes that takes, so that the buffer need not grow while it is written.
    var byteEstimate: Int { get }
}

extension JSONRepresentable {
    public var byteEstimate: Int { 512 }
}

/// What a handler returns. The server adds Date, Content-Length, Server, X-Request-Id and Connection.
public struct Response: Sendable {
    /// Its code alone is kept and sent with the standard phrase: a phrase would be one more thing to hold on to.
    public var status: HTTPResponse.Status { .init(code: code) }
    let code: Int
    /// nil: no Content-Type, for answers without a body.
    public var contentType: StaticString?
    public var fields = ResponseFields()
    public var body: [UInt8]
    /// Whether the connection closes after it, whatever the client wants.
    public var closes = false
    /// The error behind it, for the log; never sent.
    public var failure: (any Error)?

    public init(status: HTTPResponse.Status, contentType: StaticString? = nil, body: [UInt8] = []) {
        code = status.code
        self.contentType = contentType
        self.body = body
    }

    /// A value as `application/json`.
    public static func json(_ value: some JSONRepresentable, status: HTTPResponse.Status = .ok) throws -> Response {
        var json = JSONWriter(reserving: value.byteEstimate)
        try value.write(to: &json)
        return Response(status: status, contentType: "application/json", body: json.bytes)
    }

    /// JSON written in place, as `application/json`.
    public static func json(
        status: HTTPResponse.Status = .ok, _ write: (inout JSONWriter) throws -> Void
    ) rethrows -> Response {
        var json = JSONWriter(reserving: 256)
        try write(&json)
        return Response(status: status, contentType: "application/json", body: json.bytes)
    }

    /// 204 without a body.
    public static var noContent: Response { Response(status: .noContent) }

    /// The same with a field more.
    ///
    /// - Throws: `FieldError` for a name or a value that cannot be sent, such as one with a line break.
    public func field(_ name: String, _ value: String) throws(HTTP1.FieldError) -> Response {
        var response = self
        try response.fields.append(name, value)
        return response
    }

    /// The same with `Location`.
    public func location(_ target: Span<UInt8>) throws(HTTP1.FieldError) -> Response {
        var response = self
        try response.fields.append(literal: "Location", utf8: target)
        return response
    }
}
