public import Formatting
public import HTTP1
public import HTTPTypes

/// A type that writes itself as JSON.
public protocol JSONRepresentable {
    /// Writes exactly one JSON value.
    func write(to json: inout JSONWriter) throws
    /// Estimated size in bytes, so that the buffer need not grow while the value is written.
    var byteEstimate: Int { get }
}

extension JSONRepresentable {
    public var byteEstimate: Int { 512 }
}

/// A response. The server adds Date, Content-Length, Server, X-Request-Id and Connection.
public struct Response: Sendable {
    /// Only the code is stored, and sent with its standard phrase: a phrase would be another object to retain.
    public var status: HTTPResponse.Status { .init(code: code) }
    let code: Int
    /// nil: no Content-Type, for a response without a body.
    public var contentType: StaticString?
    public var fields = ResponseFields()
    /// Not sent with 204 and 304; in a 304 it may be the entity tag.
    public var body: [UInt8]
    /// Where the body has the response's entity tag, with its quotes; empty when the tag is among the fields or there is
    /// none. The server copies it into the field `ETag`, so that the tag needs no memory of its own.
    var entityTagRange = 0..<0
    /// Whether the connection closes after the response, even if the client asked to keep it open.
    public var closes = false
    /// The underlying error, for the log; never sent.
    public var failure: (any Error)?

    public init(status: HTTPResponse.Status, contentType: StaticString? = nil, body: [UInt8] = []) {
        code = status.code
        self.contentType = contentType
        self.body = body
    }
}
