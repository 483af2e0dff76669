import AWS
import ArgumentParser
import Items
import Logging
import Postgres
import Reactor
import ServiceLifecycle
import Synchronization
import Telemetry
import Vial

/// `items serve`: the wiring, top to bottom.
struct Serve: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "serve",
        abstract: "Serves until SIGTERM or SIGINT, then drains.",
        discussion: """
            SIGTERM goes on serving for DRAIN_DELAY_MS with failing health checks, then finishes what is in flight.
            SIGINT skips the delay, and so does either before the start is over. A second signal ends at once with exit
            status 1. SIGHUP is ignored.
            """)

    /// Everything runs on the loops; the main thread starts them and then waits for signals, so that these are heard
    /// whatever the loops are doing. An asynchronous `main` would end that thread under a running process, which valgrind
    /// and some debuggers do not survive.
    func run() throws {
        let signals = StopSignals()
        CurrentProcess.ignoreWriteSignals()
        let unused = CurrentProcess.removeLibraryVariables()
        FreedMemory.returnLargeBuffers()
        let (stops, stop) = AsyncStream<Int32>.makeStream()
        let service = try RunningService(warnings: unused)
        Task(executorPreference: service.loops[0]) {
            let status = await service.run(until: stops)
            CurrentProcess.end(status: status)
        }
        stop.yield(signals.next())
        _ = signals.next()
        CurrentProcess.end(status: 1)
    }
}

/// What listens already, and what it needs to serve.
private final class RunningService: Sendable {
    let loops: [EventLoop]
    private let configuration: Configuration
    private let manager: ServiceManager
    private let observability: Observability
    private let observers: [LoopObserver]
    private let logger: Logger
    private let drain = Drain()
    private let description: ServiceDescription
    private let database: Database
    private let keyExpiry: KeyExpiry
    private let server: Server
    private let admin: Server?
    private let memory: MemoryBudget
    private let lastSeen = LastSeen()
    /// Whether the start is over.
    private let isReady = Atomic<Bool>(false)

    /// Listens. Nothing in it waits for anybody else.
    ///
    /// - Parameter warnings: what is to be said besides what the configuration warns of.
    /// - Throws: the exit status, when what is wrong has been said.
    init(warnings: [String]) throws(ExitCode) {
        let configuration: Configuration
        do throws(ConfigurationErrors) {
            manager = try ServiceManager()
            configuration = try Configuration.read(from: Configuration.processEnvironment)
        } catch { throw error.reported() }
        self.configuration = configuration
        // Until the machine or the task has told its own.
        let instanceID = configuration.instanceID ?? CurrentProcess.hostName
        let observability: Observability
        do throws(LogSinkError) {
            observability = try Observability(configuration, instanceID: instanceID)
        } catch {
            var standardError = StandardError()
            print("error: cannot start: \(error)", to: &standardError)
            throw ExitCode.failure
        }
        self.observability = observability
        let logger = observability.makeLogger("items")
        self.logger = logger
        for warning in configuration.warnings + warnings { logger.warning("\(warning)") }

        /// Says why the start ends, on the log: from here on nobody reads another place.
        func failure(_ message: Logger.Message, _ metadata: Logger.Metadata) -> ExitCode {
            logger.critical(message, metadata: metadata)
            observability.close()
            // Not by `exit`, below the hands of loops that turn already.
            CurrentProcess.end(status: 1)
        }

        let descriptors: DescriptorBudget
        do throws(DescriptorBudget.Shortage) {
            descriptors = try DescriptorBudget(
                configuration, limit: CurrentProcess.raiseDescriptorLimit(), open: CurrentProcess.openDescriptorCount)
        } catch {
            throw failure("Cannot start", ["reason": "\(error)"])
        }
        if let warning = descriptors.warning { logger.warning("\(warning)") }
        let memory = MemoryBudget(limit: configuration.memoryByteLimit)
        self.memory = memory
        observability.watch(memory)
        let interruption: Interruption
        do throws(SystemError) {
            loops = try (0..<configuration.http.workers).map { (index) throws(SystemError) in
                try EventLoop(index: index)
            }
            interruption = try Interruption()
        } catch {
            throw failure("Cannot start", ["workers": "\(configuration.http.workers)", "reason": "\(error)"])
        }
        let loops = loops
        let observers = loops.map { observability.makeObserver(on: $0) }
        self.observers = observers
        for (loop, observer) in zip(loops, observers) { loop.atTurnEnd { observer.flush() } }

        let credentials = DatabaseCredentials(configuration, logger: observability.makeLogger("secret"))
        let database = Database(
            on: loops, options: .init(configuration, memory: memory),
            connector: Connector(configuration, credentials: credentials, logger: logger, interruption: interruption),
            observe: { loop in
                let observer = observers[loop.index]
                return { observer.observe($0) }
            })
        self.database = database
        let description = ServiceDescription(configuration, instanceID: instanceID)
        self.description = description
        let (lastSeen, drain) = (lastSeen, drain)
        let services = loops.map { loop in
            let pool = database.pool(for: loop)
            return Services(
                pool: pool, database: database,
                health: Health(
                    on: loop, pool: pool, drain: drain, lastSeen: lastSeen,
                    graceMilliseconds: configuration.health.databaseGraceMilliseconds),
                registry: observability.registry, service: description,
                itemCreated: { observers[loop.index].itemCreated() })
        }
        keyExpiry = KeyExpiry(on: loops[0], store: services[0].store)
        let trusts = { @Sendable (peer: SocketAddress) in
            configuration.http.trustedProxies.contains(IPAddress(bytes: peer.bytes))
        }
        do throws(SystemError) {
            server = try Server(
                on: loops, options: .init(configuration, memory: memory, connections: descriptors.connections),
                adopting: manager.socket, drain: drain, trusts: trusts,
                makeApp: { loop in
                    makeApp(
                        services[loop.index], basePath: configuration.http.basePath,
                        healthPaths: configuration.health.paths, hidesOperations: configuration.http.adminPort != nil)
                },
                observe: { loop in
                    let observer = observers[loop.index]
                    return { observer.observe($0) }
                })
            if let port = configuration.http.adminPort {
                admin = try Server(
                    on: loops,
                    options: ServerOptions(
                        configuration, memory: memory, connections: descriptors.adminConnections
                    ).admin(port: port), trusts: trusts,
                    makeApp: { makeApp(services[$0.index]) },
                    observe: { loop in
                        { event in
                            // The end of the service is told once, by the server that clients see.
                            if case .drain = event { return }
                            observers[loop.index].observe(event)
                        }
                    })
            } else {
                admin = nil
            }
        } catch {
            throw failure(
                "Cannot listen",
                [
                    "host": "\(configuration.http.host)", "port": "\(configuration.http.port)", "reason": "\(error)",
                ])
        }
        do throws(SystemError) { for loop in loops { try loop.start() } } catch {
            throw failure("Cannot start", ["workers": "\(loops.count)", "reason": "\(error)"])
        }
    }

    /// Serves, at first with whatever is there, until the first of `stops` and the end of the drain.
    ///
    /// - Returns: the exit status.
    func run(until stops: AsyncStream<Int32>) async -> Int32 {
        // The last one ends first: metrics can be read while clients are served, the database goes when nobody needs it.
        let services: [any Service] = [database] + (admin.map { [$0] } ?? []) + [server]
        let group = ServiceGroup(
            configuration: ServiceGroupConfiguration(services: services, logger: observability.makeLogger("lifecycle")))
        do {
            try await admin?.begin()
            try await server.begin()
        } catch {
            logger.critical("Cannot serve", metadata: ["reason": "\(error)"])
            observability.close()
            return 1
        }
        let stopping = Task(executorPreference: loops[0]) { await self.stop(group, on: stops) }
        let (memory, first) = (memory, loops[0])
        let returning = Task(executorPreference: first) { await FreedMemory.returnRest(while: memory, on: first) }
        Task(executorPreference: loops[0]) { await self.begin() }
        var status: Int32 = 0
        do { try await group.run() } catch {
            logger.critical("Cannot serve", metadata: ["reason": "\(error)"])
            status = 1
        }
        stopping.cancel()
        returning.cancel()
        for (loop, observer) in zip(loops, observers) { await loop.perform { observer.flush(force: true) } }
        observability.close()
        return status
    }

    /// Finds out who it is, and opens the database: for as long as that takes, clients that need it wait within their limits.
    private func begin() async {
        manager.starting(on: loops[0]) { [self] in isReady.load(ordering: .relaxed) || drain.isDraining }
        async let isNamed: Void = nameInstance()
        // Decided, for better or worse, before anybody is told: with the database there, no client meets an unready service.
        await database.open()
        await isNamed
        await keyExpiry.begin()
        if drain.isDraining { return }
        isReady.store(true, ordering: .relaxed)
        logger.info(
            "Serving",
            metadata: ["port": "\(server.port)", "workers": "\(loops.count)", "version": "\(BuildInfo.version)"])
        manager.ready(loops)
        // A debugger's breakpoints are changes of such pages, so debug builds keep them.
        #if !DEBUG
            // What came before is over; what the services' own start touches comes after it.
            CurrentProcess.releaseReadOnlyPages()
            await loops[0].pause(nanoseconds: Self.settlingTime)
            CurrentProcess.releaseReadOnlyPages()
        #endif
    }

    /// Asks on a thread of its own, since that may take two seconds.
    private func nameInstance() async {
        guard configuration.instanceID == nil else { return }
        let environment = AWS.Environment(configuration.aws)
        guard let instanceID = await BlockingThread.run({ InstanceIdentity.discover(environment) }) ?? nil else {
            return
        }
        observability.changeInstance(to: instanceID)
        description.changeInstance(to: instanceID)
        for (loop, observer) in zip(loops, observers) { await loop.perform { observer.instanceChanged() } }
    }

    /// After it, in nanoseconds, everything that runs has begun.
    private static let settlingTime: UInt64 = 250_000_000

    /// The first signal drains; the second is the main thread's to hear.
    private func stop(_ services: ServiceGroup, on stops: AsyncStream<Int32>) async {
        for await signal in stops {
            // No balancer sends anybody before a health check has passed.
            let isExpected = isReady.load(ordering: .relaxed) || lastSeen.isKnown
            if signal == StopSignals.interrupt || !isExpected { drain.skipDelay() }
            manager.stopping()
            await services.triggerGracefulShutdown()
        }
    }
}
