public import Reactor
public import ServiceLifecycle

/// The pools of several event loops, with bounds on the sum of their connections.
public final class Database: Service {
    /// How long `close` waits for statements in flight; no HTTP request is in flight by then.
    private static let closeLimit = Duration.seconds(2)

    private let pools: [Pool]
    private let connector: Connector

    /// The bounds and time limits.
    public struct Options: Sendable {
        /// Connections kept open, over all loops.
        public var minimum = 2
        /// Upper bound of connections over all loops; at least 1.
        public var maximum = 10
        /// Longest wait for a connection.
        public var waitTimeout = Duration.seconds(3)
        /// Longest run of one statement.
        public var statementTimeout = Duration.seconds(5)
        /// Budget in which parameters and results are counted.
        public var memory = MemoryBudget.unlimited

        public init() {}
    }

    /// One pool per loop; with fewer connections than loops, one pool per connection, shared by loops.
    ///
    /// - Parameter observe: makes the observer of one loop's pool.
    public init(
        on loops: [EventLoop], options: Options, connector: Connector,
        observe: (EventLoop) -> @Sendable (PoolEvent) -> Void
    ) {
        let shares = min(loops.count, options.maximum)
        precondition(shares > 0, "a database needs a loop and a connection")
        self.connector = connector
        pools = (0..<shares).map { index in
            Pool(
                on: loops[index], minimum: Self.share(index, of: options.minimum, in: shares),
                maximum: Self.share(index, of: options.maximum, in: shares), waitLimit: options.waitTimeout,
                statementLimit: options.statementTimeout, memory: options.memory, connector: connector,
                observe: observe(loops[index]))
        }
    }

    /// Maximum number of descriptors that the pools hold open: per connection its socket and the duplicate that its
    /// loop watches, per pool those for resolving the server's name and reading a password, and the socket of each
    /// cancel request.
    public static func descriptorCount(loops: Int, maximum: Int) -> Int {
        2 * maximum + 2 * min(loops, maximum) + Connector.cancelThreadLimit
    }

    /// The pool for a loop: its own if it has one.
    public func pool(for loop: EventLoop) -> Pool {
        pools[loop.index % pools.count]
    }

    /// Opens the minimum of connections; returns when every pool's first attempt has succeeded or failed.
    public func open() async {
        await withTaskGroup { group in
            for pool in pools {
                let siblings = pools.filter { $0 !== pool }
                group.addTask(executorPreference: pool.loop) { await pool.open(beside: siblings) }
            }
        }
    }

    /// The counts, summed over all pools.
    public func load() async -> PoolLoad {
        var sum = PoolLoad()
        for pool in pools { sum = sum + (await pool.load()) }
        return sum
    }

    /// Keeps the pools open until graceful shutdown begins, then closes them.
    public func run() async throws {
        // Cancellation and graceful shutdown both end it.
        try? await gracefulShutdown()
        await withTaskGroup { group in
            for pool in pools {
                group.addTask { await pool.close(within: Self.closeLimit) }
            }
            let (connector, loop) = (connector, pools[0].loop)
            group.addTask { await connector.interrupt(on: loop, within: Self.closeLimit) }
        }
    }

    /// The part of `total` for `index`; parts differ by at most one.
    static func share(_ index: Int, of total: Int, in count: Int) -> Int {
        total / count + (index < total % count ? 1 : 0)
    }
}
