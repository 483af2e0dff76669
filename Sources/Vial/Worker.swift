import HTTP1
import Platform
import Reactor
import Synchronization

/// The open connections over all loops, limited by number and by the memory that each takes.
final class ConnectionQuota: Sendable {
    /// Minimum memory of a connection: its objects, and what it keeps between two requests.
    static let connectionByteCount = 3072
    /// Share of the memory budget for all connections together, in sixteenths.
    private static let connectionSixteenths = 10

    let limit: Int
    private let memory: MemoryBudget
    private let count = Atomic<Int>(0)

    init(limit: Int, memory: MemoryBudget) {
        self.limit = min(limit, Self.most(in: memory))
        self.memory = memory
    }

    /// How many connections fit into a budget.
    static func most(in memory: MemoryBudget) -> Int {
        memory.limit / 16 * connectionSixteenths / connectionByteCount
    }

    var open: Int { count.load(ordering: .relaxed) }

    /// Takes a place; false when there is none.
    func take() -> Bool {
        if count.wrappingAdd(1, ordering: .relaxed).newValue <= limit,
            memory.reserve(Self.connectionByteCount, for: .connection)
        {
            return true
        }
        count.wrappingSubtract(1, ordering: .relaxed)
        return false
    }

    func release() {
        count.wrappingSubtract(1, ordering: .relaxed)
        memory.release(Self.connectionByteCount)
    }
}

/// State shared by the connections of one loop. Used only on that loop.
final class Worker {
    /// Bytes per read: the largest head fits.
    static let readByteLimit = 65_536
    /// Larger response buffers are freed instead of kept as the spare one.
    private static let spareOutputByteLimit = 65_536
    /// Idle handler tasks kept per loop: about as many as a busy loop has requests in flight.
    private static let idleRunnerLimit = 256
    /// Interval between two searches for idle connections; a search visits every connection of the loop.
    private static let idleSearchInterval = Duration.milliseconds(20)

    let loop: EventLoop
    let app: App
    let options: ServerOptions
    let drain: Drain
    let quota: ConnectionQuota
    let trusts: @Sendable (SocketAddress) -> Bool
    let observe: @Sendable (ServerEvent) -> Void
    let times: Exchange.Times
    /// `ServerOptions.requestTimeout` in nanoseconds: what a handler and its queries have.
    let handlerTime: UInt64
    let readBuffer = ReadBuffer(byteCount: Worker.readByteLimit)
    /// A buffer for responses, lent to one connection at a time. A buffer per connection would not stay in the CPU's
    /// caches.
    private var spareOutput: [UInt8] = []
    var commonFields: CommonFields
    var requestID = RequestID()
    private var connections: [ObjectIdentifier: Connection] = [:]
    private var idleRunners: [Runner] = []
    /// Idle connections found by the last search, longest idle last. Connections that became idle later have been idle
    /// for a shorter time than all of these.
    private var idleConnections: [(identifier: ObjectIdentifier, expiry: Instant)] = []
    /// When the next search is allowed, once the candidates are used up.
    private var nextIdleSearch = Instant(nanoseconds: 0)

    init(
        loop: EventLoop, app: App, options: ServerOptions, drain: Drain, quota: ConnectionQuota,
        trusts: @escaping @Sendable (SocketAddress) -> Bool, observe: @escaping @Sendable (ServerEvent) -> Void
    ) {
        self.loop = loop
        self.app = app
        self.options = options
        self.drain = drain
        self.quota = quota
        self.trusts = trusts
        self.observe = observe
        times = Exchange.Times(options)
        handlerTime = options.requestTimeout.nanoseconds
        commonFields = CommonFields(server: options.name)
    }

    func opened(_ connection: Connection) {
        connections[ObjectIdentifier(connection)] = connection
        observe(.accepted)
    }

    func closed(_ connection: Connection) {
        connections[ObjectIdentifier(connection)] = nil
        quota.release()
        observe(.closed)
    }

    /// Closes the connection that has been idle longest, if that is at least `ServerOptions.idleGrace`.
    ///
    /// - Returns: whether one was closed.
    func giveUpIdle() -> Bool {
        // While the server closes, an idle connection waits for its first request and soon closes by itself.
        guard !drain.phase.closesIdleConnections else { return false }
        if idleConnections.isEmpty && loop.now >= nextIdleSearch {
            nextIdleSearch = loop.now + Self.idleSearchInterval
            idleConnections = connections.compactMap { identifier, connection in
                connection.exchange.idleDeadline.map { (identifier, $0) }
            }
            idleConnections.sort { $0.expiry > $1.expiry }
        }
        while let oldest = idleConnections.last,
            oldest.expiry + options.idleGrace <= loop.now + options.keepAliveTimeout
        {
            idleConnections.removeLast()
            guard let connection = connections[oldest.identifier], connection.exchange.idleDeadline == oldest.expiry
            else {
                continue
            }
            if connection.giveUp() { return true }
        }
        return false
    }

    /// Lends the spare buffer to a connection without output.
    @inline(__always)
    func lendOutput(_ output: inout [UInt8]) {
        if output.capacity == 0 { swap(&output, &spareOutput) }
    }

    /// Takes back an empty buffer as the spare one; frees it if it is too large or another one has been returned.
    @inline(__always)
    func returnOutput(_ output: inout [UInt8]) {
        if spareOutput.capacity > 0 || output.capacity > Self.spareOutputByteLimit {
            output = []
        } else {
            output.removeAll(keepingCapacity: true)
            swap(&output, &spareOutput)
        }
    }

    /// Runs an answer's closure in a task, which delivers the answer to the connection.
    func run(_ make: @escaping () async throws -> Answer, for connection: Connection, until expiry: Instant) {
        let runner = idleRunners.popLast() ?? Runner(self)
        runner.run(make, for: connection, until: expiry)
    }

    /// Keeps a runner that has finished its request.
    ///
    /// - Returns: false when it is not kept and has to end.
    func keep(_ runner: Runner) -> Bool {
        guard idleRunners.count < Self.idleRunnerLimit && drain.phase.keepsRunners else { return false }
        idleRunners.append(runner)
        return true
    }

    /// Reports the drain's phase to every connection; in the last phase also ends the idle runners.
    func drainChanged() {
        for connection in connections.values { connection.drainChanged() }
        guard !drain.phase.keepsRunners else { return }
        for runner in idleRunners { runner.end() }
        idleRunners = []
    }
}

extension Exchange.Times {
    fileprivate init(_ options: ServerOptions) {
        self.init(
            keepAlive: options.keepAliveTimeout, head: options.headerTimeout, body: options.bodyTimeout,
            response: options.requestTimeout + Connection.responseGrace, write: options.writeTimeout)
    }
}
