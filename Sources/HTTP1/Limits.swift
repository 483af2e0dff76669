/// Every bound on what a client may send and a handler may answer.
public struct Limits: Sendable {
    /// A request line without its line end; 414 above. A load balancer (ALB) forwards 16 KiB.
    public static let requestLineByteLimit = 16_384
    /// A method; 501 above. The longest registered one (UPDATEREDIRECTREF) has 17 bytes.
    public static let methodByteLimit = 32
    /// A field line without its line end; 431 above. A load balancer (ALB) forwards 16 KiB.
    public static let fieldLineByteLimit = 16_384
    /// Digits of a chunk's size: 15 hexadecimal digits always fit into an `Int`.
    public static let chunkSizeDigitLimit = 15
    /// Chunks of one body: enough for a body of the default limit in pieces of 16 bytes; smaller pieces are refused
    /// because a chunk costs more than its data.
    public static let chunkCountLimit = 65_536
    /// The chunk extensions of one body together: no client needs them, and they are not counted as body.
    public static let chunkExtensionByteLimit = 4096
    /// The trailer lines of one body without their line ends: trailers are dropped, so little of them is read.
    public static let trailerByteLimit = 8192
    /// Trailer lines of one body.
    public static let trailerCountLimit = 32
    /// The body of a request that its head alone refuses is read and dropped up to this size, so that the connection stays
    /// open; above it the connection closes. The framing of chunks counts too.
    public static let droppedBodyByteLimit = 65_536
    /// Answers of one pipelining client that are gathered before they are sent and the loop serves its other clients.
    public static let pipelineDepthLimit = 64
    /// Name and value pairs of a query: more than any form needs, and few enough for a linear search.
    public static let queryItemLimit = 128
    /// A whole response head: a load balancer (ALB) answers 502 for more than 32 KiB.
    public static let responseHeadByteLimit = 32_768
    /// A handler's fields in a response head; the rest is reserved for the lines of the encoder.
    public static let responseFieldByteLimit = responseHeadByteLimit - 1024
    /// Larger buffers are released between requests, so that an idle connection does not keep its largest head.
    public static let retainedHeadByteLimit = 1024
    /// The same for fields: browsers behind a load balancer send about 20.
    public static let retainedFieldLimit = 32

    /// All field lines of a head together, without their line ends; 431 above.
    public var headByteLimit: Int
    /// Field lines of a head; 431 above.
    public var fieldCountLimit: Int
    /// A body's content, without chunk framing; 413 above.
    public var bodyByteLimit: Int

    /// - Parameters:
    ///   - headByteLimit: the default is what a load balancer (ALB) forwards.
    ///   - fieldCountLimit: the default is several times what browsers and proxies send.
    ///   - bodyByteLimit: the default is far above the largest item.
    public init(headByteLimit: Int = 65_536, fieldCountLimit: Int = 128, bodyByteLimit: Int = 1_048_576) {
        precondition(headByteLimit >= 0 && fieldCountLimit >= 0 && bodyByteLimit >= 0, "a limit is negative")
        self.headByteLimit = headByteLimit
        self.fieldCountLimit = fieldCountLimit
        self.bodyByteLimit = bodyByteLimit
    }

    /// The most bytes that a head can have before it is complete or refused: an empty line, the request line, the
    /// fields and the line ends. With a buffer of this size the parser can always decide.
    public var messageHeadByteLimit: Int {
        2 + Self.requestLineByteLimit + 2 + headByteLimit + 2 * fieldCountLimit + 2
    }
}
