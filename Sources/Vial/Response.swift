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

/// A response as the server sends it. The server adds Date, Content-Length, Server, X-Request-Id and Connection.
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
}
