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
    /// Not sent with 204 and 304; in a 304 it may be the entity tag. A new body has no entity tag.
    public var body: [UInt8] {
        didSet { (entityTagByteCount, tailByteCount) = (0, 0) }
    }
    /// Bytes of the response's entity tag, with its quotes, in the body, and of the body after it; 0 when the tag is among
    /// the fields or there is none. The server copies it into the field `ETag`, so that the tag needs no memory of its
    /// own, and these numbers fit where a response has room.
    private(set) var entityTagByteCount: UInt8 = 0
    private var tailByteCount: UInt8 = 0
    /// Whether the connection closes after the response, even if the client asked to keep it open.
    public var closes = false
    /// The underlying error, for the log; never sent.
    public var failure: (any Error)?

    public init(status: HTTPResponse.Status, contentType: StaticString? = nil, body: [UInt8] = []) {
        code = status.code
        self.contentType = contentType
        self.body = body
    }

    /// Where the body has the entity tag; empty when it does not.
    var entityTagRange: Range<Int> {
        let end = body.count - Int(tailByteCount)
        return end - Int(entityTagByteCount)..<end
    }

    /// A response whose body has its entity tag, which must be short and near the end; nil for another one.
    @inline(__always)
    init?(
        status: HTTPResponse.Status, contentType: StaticString? = nil, fields: ResponseFields, body: [UInt8],
        tag: Range<Int>
    ) {
        guard tag.lowerBound >= 0, let count = UInt8(exactly: tag.count),
            let tail = UInt8(exactly: body.count - tag.upperBound)
        else { return nil }
        code = status.code
        self.contentType = contentType
        self.fields = fields
        self.body = body
        entityTagByteCount = count
        tailByteCount = tail
    }
}
