public import HTTP1
public import Reactor

/// The limits of a server.
public struct ServerOptions: Sendable {
    /// The value of `Server`: a token of RFC 9110 §5.6.2, at most 64 bytes.
    public var name = "vial"
    public var host = "::"
    /// 0 lets the kernel choose.
    public var port: UInt16 = 5001
    /// Over all loops. Above it, idle connections are closed for new clients; without idle ones, clients wait in the
    /// accept queue.
    public var maxConnections = 10_000
    public var limits = Limits()
    /// From the first byte of a head to its end.
    public var headerTimeout = Duration.seconds(10)
    /// From the end of a head to the end of its body.
    public var bodyTimeout = Duration.seconds(30)
    /// For sending responses, from the moment the socket's buffer was full.
    public var writeTimeout = Duration.seconds(30)
    /// From the complete request to the response: asynchronous handlers read the deadline from `TaskDeadline.current`.
    public var requestTimeout = Duration.seconds(15)
    /// Between two requests; longer than the load balancer's idle timeout, so that the balancer never writes to a
    /// closed connection.
    public var keepAliveTimeout = Duration.seconds(75)
    /// Time after connecting or after a response in which an idle connection is not closed for another client.
    public var idleGrace = Duration.seconds(1)
    public var drainDelay = Duration.seconds(5)
    public var drainTimeout = Duration.seconds(20)

    /// The budget of buffered input, bodies and responses; requests above it get 503.
    public var memory = MemoryBudget.unlimited

    public init() {}

    /// The maximum number of connections within a memory budget, regardless of `maxConnections`.
    public static func mostConnections(in memory: MemoryBudget) -> Int { ConnectionQuota.most(in: memory) }
}
