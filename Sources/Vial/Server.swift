public import Reactor
public import ServiceLifecycle
import Synchronization

/// An HTTP/1.1 server on several event loops, each with its own listener, connections and copy of the application.
public final class Server: Service {
    /// How often the drain looks whether the last connection is gone.
    private static let drainPoll: UInt64 = 10_000_000

    public let drain: Drain
    private let workers: [Worker]
    private let acceptors: [Acceptor]
    private let quota: ConnectionQuota
    private let options: ServerOptions
    private let hasBegun = Atomic<Bool>(false)

    /// Binds every listener; clients wait in their queues until `begin`.
    ///
    /// - Parameters:
    ///   - loops: at least one, started or not.
    ///   - adopting: the number of a socket that listens already and stays open, shared by all loops instead of binding.
    ///   - drain: shared with whoever answers health checks.
    ///   - trusts: whether a peer's word on its client is believed; asked once a connection.
    ///   - makeApp: called once per loop.
    ///   - observe: makes the observer of one loop, which is called there and must not block.
    /// - Throws: `SystemError` when the address cannot be listened on.
    public init(
        on loops: [EventLoop], options: ServerOptions, adopting inherited: Int32? = nil, drain: Drain = Drain(),
        trusts: @escaping @Sendable (SocketAddress) -> Bool,
        makeApp: (EventLoop) -> App, observe: (EventLoop) -> (ServerEvent) -> Void
    ) throws(SystemError) {
        precondition(!loops.isEmpty, "a server needs a loop")
        self.options = options
        self.drain = drain
        quota = ConnectionQuota(limit: options.maxConnections, memory: options.memory)
        var workers: [Worker] = []
        var acceptors: [Acceptor] = []
        var port = options.port
        for loop in loops {
            let listener: Listener
            if let inherited {
                listener = try Listener(duplicating: inherited)
            } else {
                listener = try Listener(host: options.host, port: port, isFirst: acceptors.isEmpty)
            }
            // With port 0 the first choice of the kernel is everybody's.
            port = try listener.port()
            let worker = Worker(
                loop: loop, app: makeApp(loop), options: options, drain: drain, quota: quota, trusts: trusts,
                observe: observe(loop))
            workers.append(worker)
            acceptors.append(Acceptor(listener, worker: worker))
        }
        self.port = port
        self.workers = workers
        self.acceptors = acceptors
    }

    /// The port it listens on.
    public let port: UInt16

    /// Begins to accept clients, which are served from then on; `run` does it first where nobody has.
    ///
    /// - Throws: `SystemError`, before anybody is served, when a loop cannot watch its listener.
    public func begin() async throws {
        guard !hasBegun.exchange(true, ordering: .relaxed) else { return }
        for acceptor in acceptors { try await acceptor.begin(beside: acceptors.filter { $0 !== acceptor }) }
    }

    /// Serves until a graceful shutdown is asked for, then drains. Returns when the last connection is gone.
    ///
    /// - Throws: as `begin`.
    public func run() async throws {
        try await begin()
        await withTaskGroup { group in
            for (worker, acceptor) in zip(workers, acceptors) {
                group.addTask(executorPreference: worker.loop) { await acceptor.run() }
            }
            do { try await gracefulShutdown() } catch {
                // The task was cancelled: there is no time to be graceful.
                drain.skipDelay()
            }
            await finish()
        }
    }

    private func finish() async {
        let first = workers[0].loop
        await enter(.announcing)
        let announced = EventLoop.monotonicNanoseconds() + UInt64(options.drainDelay) * 1_000_000
        while EventLoop.monotonicNanoseconds() < announced && !drain.skipsDelay {
            await first.pause(nanoseconds: Self.drainPoll)
        }
        // Idle connections close now, which makes room for whoever waits in the queue.
        await enter(.closing)
        let limit = EventLoop.monotonicNanoseconds() + UInt64(options.drainTimeout) * 1_000_000
        await withTaskGroup { group in
            for acceptor in acceptors { group.addTask { await acceptor.finish(by: limit) } }
        }
        while quota.open > 0 && EventLoop.monotonicNanoseconds() < limit {
            await first.pause(nanoseconds: Self.drainPoll)
        }
        if quota.open > 0 {
            await Self.report(workers[0]) { [quota] in .drainTimedOut(open: quota.open) }
            await enter(.cutting)
            let cut = EventLoop.monotonicNanoseconds() + 1_000_000_000
            while quota.open > 0 && EventLoop.monotonicNanoseconds() < cut {
                await first.pause(nanoseconds: Self.drainPoll)
            }
        }
        await enter(.ended)
    }

    private func enter(_ phase: Drain.Phase) async {
        drain.enter(phase)
        await Self.report(workers[0]) { .drain(phase) }
        for worker in workers {
            await worker.loop.perform { worker.drainChanged() }
        }
    }

    private static func report(_ worker: Worker, _ event: @escaping @Sendable () -> ServerEvent) async {
        await worker.loop.perform { worker.observe(event()) }
    }
}
