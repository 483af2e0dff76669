import HTTP1
import Reactor
import Synchronization

/// Connections open over all loops, and the bounds on them: their number, and the memory that each of them takes.
final class ConnectionQuota: Sendable {
    /// What a connection takes at least: its objects, and what it keeps between two requests.
    static let connectionByteCount = 3072
    /// In sixteenths of the budget, what all of them may take together.
    private static let connectionSixteenths = 10

    let limit: Int
    private let memory: MemoryBudget
    private let count = Atomic<Int>(0)

    init(limit: Int, memory: MemoryBudget) {
        self.limit = min(limit, Self.most(in: memory))
        self.memory = memory
    }

    /// How many connections a budget has room for.
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

/// What the connections of one loop share; an object of that loop.
final class Worker {
    /// One read takes at most this much: a whole head of the largest kind.
    static let readByteLimit = 65_536
    /// The spare buffer is no larger, whatever the largest answer was.
    private static let spareOutputByteLimit = 65_536
    /// Runners that are kept while they have nothing to do: as many as a busy loop has requests at the database.
    private static let idleRunnerLimit = 256
    /// Between two searches for idle connections, which look at every connection of the loop.
    private static let idleSearchInterval: UInt64 = 20_000_000

    let loop: EventLoop
    let app: App
    let options: ServerOptions
    let drain: Drain
    let quota: ConnectionQuota
    let trusts: @Sendable (SocketAddress) -> Bool
    let observe: @Sendable (ServerEvent) -> Void
    let times: Exchange.Times
    let readBuffer = ReadBuffer(byteCount: Worker.readByteLimit)
    /// Where answers are written until they have left, for one connection after the other: a buffer of its own each would be
    /// memory that the next request finds in no cache.
    private var spareOutput: [UInt8] = []
    var commonFields: CommonFields
    var requestID = RequestID()
    private var connections: [ObjectIdentifier: Connection] = [:]
    private var idleRunners: [Runner] = []
    /// Connections that were idle when a place was last looked for, the one that is idle longest last. Whatever became idle
    /// later has been so for a shorter time than all of them.
    private var idleConnections: [(identifier: ObjectIdentifier, expiry: UInt64)] = []
    /// When connections are looked through again, after all of those were tried.
    private var nextIdleSearch: UInt64 = 0

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

    /// Closes the connection that has been idle longest, if it has been so for `ServerOptions.idleGrace`.
    ///
    /// - Returns: whether one was closed.
    func giveUpIdle() -> Bool {
        // What is idle then waits for its first request, and closes soon by itself.
        guard !drain.phase.closesIdleConnections else { return false }
        if idleConnections.isEmpty && loop.now >= nextIdleSearch {
            nextIdleSearch = loop.now + Self.idleSearchInterval
            idleConnections = connections.compactMap { identifier, connection in
                connection.exchange.idleDeadline.map { (identifier, $0) }
            }
            idleConnections.sort { $0.expiry > $1.expiry }
        }
        // With a shorter time for idle connections than the grace, the result is a moment that is over for all of them.
        let latest = Int(loop.now) + (options.keepAliveTimeout - options.idleGrace) * 1_000_000
        while let oldest = idleConnections.last, Int(oldest.expiry) <= latest {
            idleConnections.removeLast()
            guard let connection = connections[oldest.identifier], connection.exchange.idleDeadline == oldest.expiry
            else {
                continue
            }
            if connection.giveUp() { return true }
        }
        return false
    }

    /// Lends the spare buffer to a connection that has nothing to send yet.
    @inline(__always)
    func lendOutput(_ output: inout [UInt8]) {
        if output.capacity == 0 { swap(&output, &spareOutput) }
    }

    /// Takes a buffer back, all of which has left, unless it is too large or another one took its place.
    @inline(__always)
    func returnOutput(_ output: inout [UInt8]) {
        if spareOutput.capacity > 0 || output.capacity > Self.spareOutputByteLimit {
            output = []
        } else {
            output.removeAll(keepingCapacity: true)
            swap(&output, &spareOutput)
        }
    }

    /// Has an answer made by a task; the connection hears of it.
    func run(_ make: @escaping () async throws -> Answer, for connection: Connection, until expiry: UInt64) {
        let runner = idleRunners.popLast() ?? Runner(self)
        runner.run(make, for: connection, until: expiry)
    }

    /// A runner is done with its request.
    ///
    /// - Returns: whether it waits for another one.
    func keep(_ runner: Runner) -> Bool {
        guard idleRunners.count < Self.idleRunnerLimit && drain.phase.keepsRunners else { return false }
        idleRunners.append(runner)
        return true
    }

    /// Makes every connection look at the drain's phase; at the end nobody runs handlers any more.
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
            keepAlive: nanoseconds(options.keepAliveTimeout), head: nanoseconds(options.headerTimeout),
            body: nanoseconds(options.bodyTimeout),
            response: nanoseconds(options.requestTimeout + Connection.responseGraceMilliseconds),
            write: nanoseconds(options.writeTimeout))
    }
}
