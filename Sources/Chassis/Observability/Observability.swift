import HTTP1
import Logging
import Postgres
import Reactor
import Synchronization
import Telemetry
import Vial

/// Everything that is logged and counted: server and pool report events, and this file and `LoopObserver` turn each
/// into its log line and its metrics. One per process.
final class Observability: Sendable {
    let registry = Registry()
    let sink: LogSink
    let level: LogLevel
    let logsAccess: Bool
    let proxies: TrustedProxies
    let statements: [Statement]
    /// The process's pools that have a connection, and whether the state was reported.
    private let reach = Mutex(Reach())

    private let environment: String
    private let instance: Mutex<String>
    private let currentTail: Mutex<LogTail>

    private struct Reach {
        var poolsUp = 0
        var told: Bool?
    }

    /// - Parameters:
    ///   - service: its statements are observed.
    ///   - descriptor: the output; stays open. By default standard output.
    /// - Throws: `LogSinkError` when the writer's thread cannot be started.
    init(
        of service: Service, _ configuration: Configuration, instanceID: String, descriptor: Int32 = 1
    ) throws(LogSinkError) {
        sink = try LogSink(descriptor: descriptor)
        statements = service.statements
        environment = configuration.environment
        instance = Mutex(instanceID)
        currentTail = Mutex(Self.tail(instanceID, environment))
        level = LogLevel(rawValue: configuration.logging.level.rawValue) ?? .info
        logsAccess = configuration.logging.logsAccess
        proxies = configuration.http.trustedProxies
        registerProcess(configuration, BuildInfo(of: service))
    }

    /// The current end of a line.
    var tail: LogTail { currentTail.withLock { $0 } }

    /// Changes the process's name in metrics and log lines from now on, except for a loop's lines: call
    /// `LoopObserver.instanceChanged` for these.
    func changeInstance(to instanceID: String) {
        instance.withLock { $0 = instanceID }
        currentTail.withLock { $0 = Self.tail(instanceID, environment) }
    }

    private static func tail(_ instanceID: String, _ environment: String) -> LogTail {
        LogTail(["instance_id": instanceID, "environment": environment])
    }

    /// A swift-log `Logger` that writes the same kind of lines, for everything outside the request path.
    func makeLogger(_ label: String) -> Logger {
        Logger(label: label) { JSONLogHandler(label: $0, sink: self.sink, tail: self.tail, level: self.level) }
    }

    /// The observer of one loop; its hooks flush the loop's lines.
    func makeObserver(on loop: EventLoop) -> sending LoopObserver {
        LoopObserver(self, on: loop)
    }

    /// Writes every line that was passed on; call an observer's `flush` before to pass a loop's lines on.
    func close() {
        // Lines that cannot be written now are counted as dropped, but the count is not read any more.
        _ = sink.close()
    }

    /// A pool got its first, or lost its last, connection.
    ///
    /// - Returns: whether the process's state changed and must be logged: up, down, or nil for no change.
    func poolChanged(wasUp: Bool, isUp: Bool) -> Bool? {
        reach.withLock { reach in
            reach.poolsUp += (isUp ? 1 : 0) - (wasUp ? 1 : 0)
            let state = reach.poolsUp > 0
            if reach.told == state { return nil }
            reach.told = state
            return state
        }
    }

    /// Exposes the memory budget of the process and its use.
    func watch(_ memory: MemoryBudget) {
        registry.gauge(
            "memory_budget_bytes", help: "Bytes that bodies, statements, results and unsent answers may take together."
        ).set(Int64(memory.limit))
        registry.collect("memory_budget_used_bytes", .gauge, help: "Bytes that they take.") { Double(memory.used) }
    }

    private func registerProcess(_ configuration: Configuration, _ build: BuildInfo) {
        ProcessMetrics.register(in: registry)
        let labels = [("version", build.version), ("commit", build.commit), ("swift", BuildInfo.swift)]
        registry.gauge("build_info", help: "What was built; always 1.", labels: labels).set(1)
        registry.collect("service_info", .gauge, help: "Where it runs; always 1.") { [weak self] in
            guard let self else { return [] }
            let instanceID = instance.withLock { $0 }
            return [Registry.Sample(1, labels: [("environment", environment), ("instance_id", instanceID)])]
        }
        registry.gauge("db_pool_connections_max", help: "Connections the process may open.")
            .set(Int64(configuration.database.poolMaximum))
        let sink = sink
        registry.collect(
            "log_lines_dropped_total", .counter, help: "Log lines dropped because the output did not take them."
        ) {
            Double(sink.droppedLines)
        }
    }
}
