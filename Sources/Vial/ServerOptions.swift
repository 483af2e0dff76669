public import HTTP1
public import Reactor

/// The bounds of a server. Times are milliseconds.
public struct ServerOptions: Sendable {
    /// What answers call the server, in `Server`: a token of RFC 9110 §5.6.2, of at most 64 bytes.
    public var name = "vial"
    public var host = "::"
    /// 0 lets the kernel choose.
    public var port: UInt16 = 5001
    /// Over all loops; for further clients idle connections are given up, and with none they wait in the accept queue.
    public var maxConnections = 10_000
    public var limits = Limits()
    /// From the first byte of a head to its end.
    public var headerTimeout = 10_000
    /// From the end of a head to the end of its body.
    public var bodyTimeout = 30_000
    /// For answers to leave, from the moment the client's window was full.
    public var writeTimeout = 30_000
    /// From the complete request to the answer: handlers find it in `TaskDeadline.current`.
    public var requestTimeout = 15_000
    /// Between two requests; longer than the load balancer's own, so that it never writes to a closed connection.
    public var keepAliveTimeout = 75_000
    /// For so long after it connected or got its answer, a client keeps its idle connection though others want the place.
    public var idleGrace = 1000
    public var drainDelay = 5_000
    public var drainTimeout = 20_000

    /// What buffered inputs, bodies and answers are counted in: above it requests are answered 503.
    public var memory = MemoryBudget.unlimited

    public init() {}

    /// How many connections a server has at most whose memory this is, whatever `maxConnections` allows.
    public static func mostConnections(in memory: MemoryBudget) -> Int { ConnectionQuota.most(in: memory) }
}
