import ArgumentParser
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
struct Serve: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "serve",
        abstract: "Serves until SIGTERM or SIGINT, then drains.",
        discussion: """
            SIGTERM goes on serving for DRAIN_DELAY_MS with failing health checks, then finishes what is in flight.
            SIGINT skips the delay. A second signal ends at once with exit status 1.
            """)

    func run() async throws {
        let configuration: Configuration
        do { configuration = try Configuration.read(from: Configuration.processEnvironment) } catch {
            throw error.reported()
        }
        let instanceID = configuration.instanceID ?? Host.name
        let observability = try Observability(configuration, instanceID: instanceID)
        let logger = observability.makeLogger("items")
        for warning in configuration.warnings { logger.warning("\(warning)") }

        let loops = try (0..<configuration.http.workers).map { try EventLoop(index: $0) }
        let drain = Drain()
        let description = ServiceDescription(configuration, instanceID: instanceID)
        let observers = loops.map { observability.makeObserver(on: $0) }
        for (loop, observer) in zip(loops, observers) { loop.atTurnEnd { observer.flush() } }

        let database = Database(
            on: loops, options: .init(configuration), connector: Connector(configuration),
            observe: { loop in { observers[loop.index].observe($0) } })
        let server: Server
        do {
            server = try Server(
                on: loops, options: .init(configuration), adopting: try ServiceManager.socket(), drain: drain,
                trusts: { configuration.http.trustedProxies.contains(IPAddress(bytes: $0.bytes)) },
                makeApp: { loop in
                    let pool = database.pool(for: loop)
                    let health = Health(
                        on: loop, pool: pool, drain: drain,
                        graceMilliseconds: configuration.health.databaseGraceMilliseconds)
                    return makeApp(
                        Services(
                            pool: pool, database: database, health: health, registry: observability.registry,
                            service: description, itemCreated: { observers[loop.index].itemCreated() }),
                        basePath: configuration.http.basePath, healthPaths: configuration.health.paths)
                },
                observe: { loop in { observers[loop.index].observe($0) } })
        } catch {
            logger.critical("Cannot listen", metadata: ["host": "\(configuration.http.host)", "port": "\(configuration.http.port)", "error": "\(error)"])
            observability.close()
            throw ExitCode.failure
        }

        for loop in loops { loop.start() }
        let signals = await UnixSignalsSequence(trapping: .sigterm, .sigint)
        // Decided, for better or worse, before the first request: with the database there, no client meets an unready service.
        await database.open()

        var group = ServiceGroupConfiguration(services: [database, server], logger: observability.makeLogger("lifecycle"))
        // The server ends first, the database when nobody needs it any more.
        group.gracefulShutdownSignals = []
        let services = ServiceGroup(configuration: group)
        let stopping = Task { await Self.stop(services, on: signals, drain: drain) }
        logger.info("Serving", metadata: ["port": "\(server.port)", "workers": "\(loops.count)", "version": "\(BuildInfo.version)"])
        let manager = ServiceManager(loops: loops)
        manager.ready()
        try await services.run()
        stopping.cancel()
        for (loop, observer) in zip(loops, observers) { await loop.perform { observer.flush(force: true) } }
        observability.close()
    }

    /// The first signal drains, the second ends at once.
    private static func stop(_ services: ServiceGroup, on signals: UnixSignalsSequence, drain: Drain) async {
        var isDraining = false
        for await signal in signals {
            if isDraining { endNow() }
            isDraining = true
            if signal == .sigint { drain.skipDelay() }
            ServiceManager.stopping()
            await services.triggerGracefulShutdown()
        }
    }
}
