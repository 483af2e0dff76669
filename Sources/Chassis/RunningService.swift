import AWS
import ArgumentParser
import Logging
import Postgres
import Reactor
import ServiceLifecycle
import Synchronization
import Vial

/// A service that listens already, and everything it needs to serve.
final class RunningService: Sendable {
    let loops: [EventLoop]
    private let start: Start
    private let observers: [LoopBound<LoopObserver>]
    private let drain: Drain
    private let description: ServiceDescription
    private let database: Database
    private let keepsIdempotencyKeys: Bool
    private let server: Server
    private let admin: Server?
    private let memory: MemoryBudget
    private let lastSeen: LastSeen
    /// Whether the start has ended.
    private let isReady = Atomic<Bool>(false)

    /// Listens. It waits for no other process.
    ///
    /// - Parameter warnings: logged in addition to the configuration's.
    /// - Throws: the exit status, when the error has been reported.
    init(_ service: Service, warnings: [String]) throws(ExitCode) {
        start = try Start(of: service, warnings: warnings)
        let (configuration, observability) = (start.configuration, start.observability)
        let descriptors = start.divideDescriptors()
        memory = MemoryBudget(limit: configuration.memoryByteLimit)
        observability.watch(memory)
        let interruption: Interruption
        (loops, interruption) = start.makeLoops()
        observers = loops.map { LoopBound(handing: observability.makeObserver(on: $0), to: $0) }
        for (loop, observer) in zip(loops, observers) { loop.atTurnEnd { observer.value.flush() } }

        let credentials = DatabaseCredentials(
            of: service, configuration, logger: observability.makeLogger("secret"))
        database = Database(
            on: loops, options: .init(configuration, memory: memory),
            connector: Connector(
                of: service, configuration, credentials: credentials, logger: start.logger, interruption: interruption),
            observe: { [observers] loop in { [observer = observers[loop.index]] in observer.value.observe($0) } })
        keepsIdempotencyKeys = service.keepsIdempotencyKeys
        description = ServiceDescription(of: service, configuration, instanceID: start.instanceID)
        (drain, lastSeen) = (Drain(), LastSeen())
        let document = ServiceDocument(of: service)
        let routes = loops.map { [database, description, drain, lastSeen] loop in
            let pool = database.pool(for: loop)
            return StandardRoutes(
                service: service,
                context: .init(
                    pool: pool, values: configuration.values,
                    requiresPreconditions: configuration.http.requiresPreconditions, registry: observability.registry),
                database: database,
                health: LoopBound(
                    handing: Health(
                        of: service, on: loop, pool: pool, drain: drain, lastSeen: lastSeen,
                        grace: configuration.health.databaseGrace), to: loop),
                description: description, document: document)
        }
        let listening = Listening(
            service: service, configuration: configuration, memory: memory, descriptors: descriptors, loops: loops,
            observers: observers, routes: routes)
        do throws(SystemError) {
            server = try listening.server(adopting: start.manager.socket, drain: drain)
            admin = try configuration.http.adminPort.map { (port) throws(SystemError) in
                try listening.admin(port: port)
            }
        } catch {
            start.fail(
                "Cannot listen",
                [
                    "host": "\(configuration.http.host)", "port": "\(configuration.http.port)", "reason": "\(error)",
                ])
        }
        do throws(SystemError) { for loop in loops { try loop.start() } } catch {
            start.fail("Cannot start", ["workers": "\(loops.count)", "reason": "\(error)"])
        }
    }

    /// Serves until the first of `stops` and the end of the drain; at first with whatever is reachable.
    ///
    /// - Returns: the exit status.
    func run(until stops: AsyncStream<Int32>) async -> Int32 {
        // The last one ends first: metrics can be read while clients are served, and the database is closed when
        // nothing uses it.
        let services: [any ServiceLifecycle.Service] = [database] + (admin.map { [$0] } ?? []) + [server]
        let group = ServiceGroup(
            configuration: ServiceGroupConfiguration(
                services: services, logger: start.observability.makeLogger("lifecycle")))
        do {
            try await admin?.begin()
            try await server.begin()
        } catch {
            start.logger.critical("Cannot serve", metadata: ["reason": "\(error)"])
            start.observability.close()
            return 1
        }
        let stopping = Task(executorPreference: loops[0]) { await self.stop(group, on: stops) }
        let (memory, first) = (memory, loops[0])
        let returning = Task(executorPreference: first) { await FreedMemory.returnRest(while: memory, on: first) }
        Task(executorPreference: loops[0]) { await self.begin() }
        var status: Int32 = 0
        do { try await group.run() } catch {
            start.logger.critical("Cannot serve", metadata: ["reason": "\(error)"])
            status = 1
        }
        stopping.cancel()
        returning.cancel()
        for (loop, observer) in zip(loops, observers) { await loop.perform { observer.value.flush(force: true) } }
        start.observability.close()
        return status
    }

    /// Finds the instance's id, and opens the database. Meanwhile clients that need the database wait within their
    /// limits.
    private func begin() async {
        start.manager.starting(on: loops[0]) { [self] in isReady.load(ordering: .relaxed) || drain.isDraining }
        async let isNamed: Void = nameInstance()
        // The first attempt has ended before readiness is reported: with a reachable database, no client meets a
        // service that is not ready.
        await database.open()
        await isNamed
        if keepsIdempotencyKeys { KeyExpiry.begin(on: loops[0], pool: database.pool(for: loops[0])) }
        if drain.isDraining { return }
        isReady.store(true, ordering: .relaxed)
        start.logger.info(
            "Serving",
            metadata: ["port": "\(server.port)", "workers": "\(loops.count)", "version": "\(start.service.version)"])
        start.manager.ready(loops)
    }

    /// On a separate thread, because it may take two seconds.
    private func nameInstance() async {
        guard start.configuration.instanceID == nil else { return }
        let environment = AWS.Environment(start.configuration.aws)
        guard let instanceID = await BlockingThread.run({ InstanceIdentity.discover(environment) }) ?? nil else {
            return
        }
        start.observability.changeInstance(to: instanceID)
        description.changeInstance(to: instanceID)
        for (loop, observer) in zip(loops, observers) { await loop.perform { observer.value.instanceChanged() } }
    }

    /// The first signal drains; the main thread handles the second.
    private func stop(_ services: ServiceGroup, on stops: AsyncStream<Int32>) async {
        for await signal in stops {
            let isReady = isReady.load(ordering: .relaxed)
            if StopSignals.skipsDelay(signal, isReady: isReady, wasHealthy: lastSeen.isKnown) { drain.skipDelay() }
            start.manager.stopping()
            await services.triggerGracefulShutdown()
        }
    }
}
