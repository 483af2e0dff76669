import AWS
import ArgumentParser
import Dispatch
import Items
import Logging
import Postgres
import Reactor
import ServiceLifecycle
import Synchronization
import Telemetry
import UnixSignals
import Vial

/// `items serve`: the wiring, top to bottom.
struct Serve: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "serve",
        abstract: "Serves until SIGTERM or SIGINT, then drains.",
        discussion: """
            SIGTERM goes on serving for DRAIN_DELAY_MS with failing health checks, then finishes what is in flight.
            SIGINT skips the delay. A second signal ends at once with exit status 1.
            """)

    /// Everything runs on the loops and in tasks; the main thread waits. An asynchronous `main` would end that thread
    /// under a running process, which valgrind and some debuggers do not survive.
    func run() throws {
        CurrentProcess.ignoreBrokenPipes()
        let unused = CurrentProcess.removeLibraryVariables()
        FreedMemory.returnLargeBuffers()
        let end = DispatchSemaphore(value: 0)
        let outcome = Mutex<Result<Void, any Error>>(.success(()))
        // Threads inherit the nice value of the one that starts them, and those of a higher priority run at -2 when they may.
        Task(priority: .medium) {
            do { try await Self.serve(warnings: unused) } catch { outcome.withLock { $0 = .failure(error) } }
            end.signal()
        }
        end.wait()
        try outcome.withLock { try $0.get() }
        CurrentProcess.end(status: 0)
    }

    private static func serve(warnings: [String]) async throws {
        let configuration: Configuration
        do { configuration = try Configuration.read(from: Configuration.processEnvironment) } catch {
            throw error.reported()
        }
        let instanceID =
            configuration.instanceID ?? InstanceIdentity.discover(AWS.Environment(configuration.aws))
            ?? CurrentProcess.hostName
        let observability = try Observability(configuration, instanceID: instanceID)
        let logger = observability.makeLogger("items")
        for warning in configuration.warnings + warnings { logger.warning("\(warning)") }

        let descriptors: DescriptorBudget
        do throws(DescriptorBudget.Shortage) {
            descriptors = try DescriptorBudget(
                configuration, limit: CurrentProcess.raiseDescriptorLimit(), open: CurrentProcess.openDescriptorCount)
        } catch {
            logger.critical("Cannot start", metadata: ["reason": "\(error)"])
            observability.close()
            throw ExitCode.failure
        }
        if let warning = descriptors.warning { logger.warning("\(warning)") }
        let memory = MemoryBudget(limit: configuration.memoryByteLimit)
        observability.watch(memory)
        let loops = try (0..<configuration.http.workers).map { try EventLoop(index: $0) }
        let drain = Drain()
        let description = ServiceDescription(configuration, instanceID: instanceID)
        let observers = loops.map { observability.makeObserver(on: $0) }
        for (loop, observer) in zip(loops, observers) { loop.atTurnEnd { observer.flush() } }

        let credentials = DatabaseCredentials(configuration, logger: observability.makeLogger("secret"))
        let database = Database(
            on: loops, options: .init(configuration, memory: memory),
            connector: Connector(configuration, credentials: credentials, logger: logger),
            observe: { loop in
                let observer = observers[loop.index]
                return { observer.observe($0) }
            })
        let lastSeen = LastSeen()
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
        let trusts = { @Sendable (peer: SocketAddress) in
            configuration.http.trustedProxies.contains(IPAddress(bytes: peer.bytes))
        }
        let server: Server
        var admin: Server?
        do {
            server = try Server(
                on: loops, options: .init(configuration, memory: memory, connections: descriptors.connections),
                adopting: try ServiceManager.socket(), drain: drain, trusts: trusts,
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
            }
        } catch {
            logger.critical(
                "Cannot listen",
                metadata: [
                    "host": "\(configuration.http.host)", "port": "\(configuration.http.port)", "reason": "\(error)",
                ])
            observability.close()
            throw ExitCode.failure
        }

        for loop in loops { loop.start() }
        let signals = await UnixSignalsSequence(trapping: .sigterm, .sigint)
        // Decided, for better or worse, before the first request: with the database there, no client meets an unready service.
        await database.open()
        await KeyExpiry(on: loops[0], store: services[0].store).begin()

        // The last one ends first: metrics can be read while clients are served, the database goes when nobody needs it.
        let running: [any Service] = [database] + (admin.map { [$0] } ?? []) + [server]
        let group = ServiceGroup(
            configuration: ServiceGroupConfiguration(services: running, logger: observability.makeLogger("lifecycle")))
        let stopping = Task { await stop(group, on: signals, drain: drain) }
        logger.info(
            "Serving",
            metadata: ["port": "\(server.port)", "workers": "\(loops.count)", "version": "\(BuildInfo.version)"])
        let manager = ServiceManager(loops: loops)
        manager.ready()
        // A debugger's breakpoints are changes of such pages, so debug builds keep them.
        #if !DEBUG
            Task {
                // What came before is over; what the services' own start touches comes after it.
                CurrentProcess.releaseReadOnlyPages()
                await loops[0].pause(nanoseconds: settlingTime)
                CurrentProcess.releaseReadOnlyPages()
            }
        #endif
        let returning = Task { await FreedMemory.returnRest(while: memory, on: loops[0]) }
        try await group.run()
        stopping.cancel()
        returning.cancel()
        for (loop, observer) in zip(loops, observers) { await loop.perform { observer.flush(force: true) } }
        observability.close()
    }

    /// After it, in nanoseconds, everything that runs has begun.
    private static let settlingTime: UInt64 = 250_000_000

    /// The first signal drains, the second ends at once.
    private static func stop(_ services: ServiceGroup, on signals: UnixSignalsSequence, drain: Drain) async {
        var isDraining = false
        for await signal in signals {
            if isDraining { CurrentProcess.end(status: 1) }
            isDraining = true
            if signal == .sigint { drain.skipDelay() }
            ServiceManager.stopping()
            await services.triggerGracefulShutdown()
        }
    }
}
