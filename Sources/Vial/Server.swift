import Platform
public import Reactor
public import ServiceLifecycle
import Synchronization

/// An HTTP/1.1 server on several event loops. Each loop has its own listener, connections and copy of the application.
public final class Server: Service {
    /// Interval between two checks during the drain.
    private static let drainPoll = Duration.milliseconds(10)

    public let drain: Drain
    /// One per loop.
    private let acceptors: [RemoteAcceptor]
    private let quota: ConnectionQuota
    private let options: ServerOptions
    private let hasBegun = Atomic<Bool>(false)

    /// Binds all listeners; clients wait in the accept queues until `begin`.
    ///
    /// - Parameters:
    ///   - loops: at least one, started or not.
    ///   - adopting: the descriptor of a listening socket, which stays open and is shared by all loops; replaces
    ///     binding.
    ///   - drain: shared with the code that answers health checks.
    ///   - trusts: whether a peer's statements about the client are trusted; called once per connection.
    ///   - makeApp: called once per loop.
    ///   - observe: makes the observer of one loop. The observer runs on that loop and must not block.
    /// - Throws: `SystemError` when the server cannot listen on the address.
    public init(
        on loops: [EventLoop], options: ServerOptions, adopting inherited: Int32? = nil, drain: Drain = Drain(),
        trusts: @escaping @Sendable (SocketAddress) -> Bool,
        makeApp: (EventLoop) -> App, observe: (EventLoop) -> @Sendable (ServerEvent) -> Void
    ) throws(SystemError) {
        precondition(!loops.isEmpty, "a server needs at least one loop")
        self.options = options
        self.drain = drain
        quota = ConnectionQuota(limit: options.maxConnections, memory: options.memory)
        var acceptors: [RemoteAcceptor] = []
        var port = options.port
        for loop in loops {
            let listener: Listener
            if let inherited {
                listener = try Listener(duplicating: inherited)
            } else {
                listener = try Listener(host: options.host, port: port, isFirst: acceptors.isEmpty)
            }
            // With port 0 the kernel chooses for the first listener; the others use the same port.
            port = try listener.port()
            let worker = Worker(
                loop: loop, app: makeApp(loop), options: options, drain: drain, quota: quota, trusts: trusts,
                observe: observe(loop))
            acceptors.append(RemoteAcceptor(Acceptor(listener, worker: worker), on: loop))
        }
        self.port = port
        self.acceptors = acceptors
    }

    /// The port on which the server listens.
    public let port: UInt16

    /// Starts accepting clients. `run` calls it if it has not been called.
    ///
    /// - Throws: `SystemError`, before any client is served, when a loop cannot watch its listener.
    public func begin() async throws {
        guard !hasBegun.exchange(true, ordering: .relaxed) else { return }
        for acceptor in acceptors {
            let siblings = acceptors.filter { $0.loop !== acceptor.loop }
            try await acceptor.perform { acceptor in
                Result { () throws(SystemError) in try acceptor.begin(beside: siblings) }
            }.get()
        }
    }

    /// Serves until a graceful shutdown is requested, then drains. Returns when the last connection is closed.
    ///
    /// - Throws: as `begin`.
    public func run() async throws {
        try await begin()
        await withTaskGroup { group in
            for acceptor in acceptors {
                group.addTask(executorPreference: acceptor.loop) { await acceptor.bound.value.run() }
            }
            do { try await gracefulShutdown() } catch {
                // The task was cancelled: the load balancer's delay is skipped.
                drain.skipDelay()
            }
            await finish()
        }
    }

    private func finish() async {
        var course = Drain.Course(
            delay: options.drainDelay, timeout: options.drainTimeout)
        while course.phase != .ended {
            let now = Instant.now
            let next = course.next(at: now, openCount: quota.open, skipsDelay: drain.skipsDelay)
            if let next {
                await enter(next, until: course.limit)
            } else {
                await acceptors[0].loop.pause(for: Self.drainPoll)
            }
        }
    }

    private func enter(_ phase: Drain.Phase, until limit: Instant) async {
        if phase == .cutting { await report { [quota] in .drainTimedOut(open: quota.open) } }
        drain.enter(phase)
        await report { .drain(phase) }
        for acceptor in acceptors { await acceptor.perform { $0.worker.drainChanged() } }
        guard phase == .closing else { return }
        // Idle connections have closed, which frees places for clients in the accept queue.
        await withTaskGroup { group in
            for acceptor in acceptors {
                group.addTask(executorPreference: acceptor.loop) { await acceptor.bound.value.finish(by: limit) }
            }
        }
    }

    private func report(_ event: @escaping @Sendable () -> ServerEvent) async {
        await acceptors[0].perform { $0.worker.observe(event()) }
    }
}
