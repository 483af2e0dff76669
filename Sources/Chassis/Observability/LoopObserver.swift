import HTTP1
import HTTPTypes
import Platform
import Postgres
import Reactor
import Telemetry
import Vial

/// Turns the events of one loop into log lines and metrics. An object of that loop, so its cells have one writer.
final class LoopObserver {
    private let observability: Observability
    private let loop: EventLoop
    private let log: LogBuffer
    private var clock = WallClock()
    private var isPoolUp = false
    /// Wakes the loop when lines have waited long enough; they are flushed at the end of the iteration.
    private let flushDeadline: Deadline

    private let requests: RequestMetrics
    private let inFlight: Gauge
    private let connectionsOpen: Gauge
    private let accepted: Counter
    private let parseErrors: [ProtocolError: Counter]
    private let timeoutErrors: Counter
    private let poolIdle: Gauge
    private let poolInUse: Gauge
    private let poolWaiting: Gauge
    private let poolWait: Histogram
    /// By the statement's ordinal.
    private var queries: [Histogram?] = []
    /// For statements that the service does not list, such as those that begin and end a transaction. They share one
    /// histogram, so that a statement that is created per request uses no permanent memory.
    private lazy var otherQueries = Self.histogram(of: "other", in: observability.registry)
    private let databaseErrors: [DatabaseError.Class: Counter]
    private let reconnects: Counter

    init(_ observability: Observability, on loop: EventLoop) {
        self.observability = observability
        self.loop = loop
        log = observability.sink.makeBuffer(tail: observability.tail)
        flushDeadline = loop.makeDeadline {}
        let registry = observability.registry
        requests = RequestMetrics(registry)
        inFlight = registry.gauge(
            "http_requests_in_flight", help: "Requests whose head was read and that have no answer yet.")
        connectionsOpen = registry.gauge("http_connections_open", help: "Client connections that are open.")
        accepted = registry.counter("http_connections_accepted_total", help: "Client connections that were accepted.")
        let refusals = { (reason: String) in
            registry.counter(
                "http_parse_errors_total", help: "Requests refused for what they are as messages, by reason.",
                labels: [("reason", reason)])
        }
        parseErrors = Dictionary(
            uniqueKeysWithValues: ProtocolError.allCases.filter { !$0.isOfQuery }.map { ($0, refusals($0.reason)) })
        timeoutErrors = refusals("timeout")
        let pool = { (state: String) in
            registry.gauge(
                "db_pool_connections", help: "Open database connections by state.", labels: [("state", state)])
        }
        poolIdle = pool("idle")
        poolInUse = pool("in_use")
        poolWaiting = registry.gauge("db_pool_waiting", help: "Statements that wait for a connection.")
        poolWait = registry.histogram("db_pool_wait_seconds", help: "How long a statement waited for its connection.")
        databaseErrors = Dictionary(
            uniqueKeysWithValues: DatabaseError.Class.allCases.map { errorClass in
                (
                    errorClass,
                    registry.counter(
                        "db_errors_total", help: "Statements and connection attempts that failed, by class.",
                        labels: [("class", errorClass.rawValue)])
                )
            })
        reconnects = registry.counter("db_reconnects_total", help: "Connections opened in the place of lost ones.")
        // A statement that runs in place of many is observed once for each of them.
        let statements = observability.statements
        let groups = statements.compactMap { $0.many?.ordinal }
        for statement in statements where !groups.contains(statement.ordinal) {
            while queries.count <= statement.ordinal { queries.append(nil) }
            queries[statement.ordinal] = Self.histogram(of: statement.name, in: registry)
        }
    }

    /// Passes waiting lines to the writer when they are due, or at once. On the loop, or before it starts.
    func flush(force: Bool = false) {
        log.flush(now: loop.now, force: force)
        if let deadline = log.deadline, flushDeadline.expiry == nil { loop.arm(flushDeadline, at: deadline) }
    }

    /// Updates the process's name in the loop's lines. On the loop.
    func instanceChanged() {
        log.tail = observability.tail
    }

    func observe(_ event: ServerEvent) {
        switch event {
        case .accepted:
            accepted.increment()
            connectionsOpen.add(1)
        case .closed:
            connectionsOpen.add(-1)
        case .started:
            inFlight.add(1)
        case .completed(let request, let status, let bytes, let nanoseconds, let failure):
            inFlight.add(-1)
            requests.observe(request, status: status, nanoseconds: nanoseconds)
            logRequest(request, status: status, bytes: bytes, nanoseconds: nanoseconds, failure: failure)
        case .abandoned:
            inFlight.add(-1)
        case .refused(let refusal):
            count(refusal)
        case .acceptFailed(let error):
            line(.warning, "Client lost before it was accepted") { $0.field("error", error.description) }
        case .outOfDescriptors(let error):
            line(.error, "No descriptor is left: accepting pauses") { $0.field("error", error.description) }
        case .connectionLimitReached(let limit):
            line(.warning, "Connection limit reached: idle connections are given up, or clients wait") {
                $0.field("limit", limit)
            }
        case .drain(let phase):
            drained(phase)
        case .drainTimedOut(let open):
            line(.warning, "Drain timed out: connections are cut") { $0.field("open_connections", open) }
        }
    }

    func observe(_ event: PoolEvent) {
        switch event {
        case .opened(let duration):
            line(.debug, "Database connection opened") { $0.field("duration_ms", milliseconds: duration) }
        case .openFailed(let error):
            databaseErrors[error.errorClass]?.increment()
            line(.debug, "Database connection attempt failed") { $0.field("error", error.description) }
        case .lost(let error):
            line(.warning, "Database connection lost") { $0.field("error", error.description) }
        case .reconnected:
            reconnects.increment()
        case .up:
            isPoolUp = true
            if observability.poolChanged(wasUp: false, isUp: true) == true {
                line(.info, "Database is reachable") { _ in }
            }
        case .down(let error):
            let wasUp = isPoolUp
            isPoolUp = false
            if observability.poolChanged(wasUp: wasUp, isUp: false) == false {
                line(.error, "Database is unreachable") { $0.field("error", error.description) }
            }
        case .waited(let nanoseconds):
            poolWait.observe(nanoseconds: nanoseconds)
        case .completed(let statement, let nanoseconds):
            observe(statement, nanoseconds: nanoseconds)
        case .failed(let statement, let error):
            databaseErrors[error.errorClass]?.increment()
            line(.debug, "Statement failed") { line in
                line.field("statement", statement.name)
                line.field("error", error.description)
            }
        case .load(let load):
            poolIdle.set(Int64(load.idle))
            poolInUse.set(Int64(load.inUse))
            poolWaiting.set(Int64(load.waiting))
        }
    }

    private func logRequest(
        _ request: Request, status: Int, bytes: Int, nanoseconds: UInt64, failure: (any Error)?
    ) {
        let isFault = status >= 500
        guard isFault || observability.logsAccess else { return }
        let end = request.start.advanced(byNanoseconds: nanoseconds)
        line(isFault ? .error : .info, "Request completed", at: end) { line in
            // Held once: each access through the request would retain and release it.
            let head = request.head.bytes
            let identifier = request.requestIDBytes
            // A token and a registered pattern need no escape.
            line.field("method", plain: head.span.extracting(request.head.method))
            line.field("path", utf8: head.span.extracting(request.head.path))
            if let pattern = request.route?.patternBytes {
                line.field("route", plain: pattern.span)
            } else {
                line.field("route", RequestMetrics.unmatched)
            }
            line.field("status", status)
            line.field("response_time_ms", milliseconds: nanoseconds)
            line.field("bytes", bytes)
            line.field("request_id", plain: identifier.span)
            if let trace = request.traceRoot { line.field("trace_id", utf8: head.span.extracting(trace)) }
            if let scheme = request.forwardedScheme { line.field("scheme", utf8: head.span.extracting(scheme)) }
            if let client = clientAddress(of: request) {
                line.field("remote_addr", plain: IPAddress.textByteLimit) { $0.append(address: client) }
            } else {
                line.field("remote_addr", "")
            }
            if let agent = request.head.firstRange(of: .userAgent) {
                line.field("user_agent", utf8: head.span.extracting(agent))
            }
            if let failure { line.field("error", "\(failure)") }
        }
    }

    private func count(_ refusal: ServerEvent.Refusal) {
        switch refusal {
        case .malformed(let error): parseErrors[error]?.increment()
        case .headTimedOut, .bodyTimedOut: timeoutErrors.increment()
        // The request is valid; it is counted by its status.
        case .outOfMemory: break
        }
    }

    private func drained(_ phase: Drain.Phase) {
        switch phase {
        case .serving: break
        case .announcing: line(.info, "Draining: health checks fail, requests are still served") { _ in }
        case .closing: line(.info, "Draining: no new connections, requests in flight finish") { _ in }
        case .cutting: break
        case .ended: line(.info, "Drained") { _ in }
        }
    }

    private func clientAddress(of request: Request) -> IPAddress? {
        guard let peer = request.peer else { return nil }
        let address = IPAddress(bytes: peer.bytes)
        guard request.isPeerTrusted, let first = request.head.firstRange(of: .xForwardedFor) else { return address }
        if request.head.count(of: .xForwardedFor) == 1 {
            let head = request.head.bytes
            return observability.proxies.clientAddress(peer: address, forwardedFor: head.span.extracting(first))
        }
        // Several lines form one list, RFC 9110 §5.3.
        let joined = Array(request.head.values("X-Forwarded-For").joined(separator: ",").utf8)
        return observability.proxies.clientAddress(peer: address, forwardedFor: joined.span)
    }

    private func line(
        _ level: LogLevel, _ message: StaticString, at moment: Instant = .now,
        _ fields: (inout LogLine) -> Void
    ) {
        guard level >= observability.level else { return }
        let utc = clock.utc(moment)
        log.append(
            level, message, seconds: Int(utc / 1_000_000_000), nanoseconds: Int(utc % 1_000_000_000), fields)
    }

    private func observe(_ statement: Statement, nanoseconds: UInt64) {
        let known = statement.ordinal < queries.count ? queries[statement.ordinal] : nil
        (known ?? otherQueries).observe(nanoseconds: nanoseconds)
    }

    private static func histogram(of name: String, in registry: Registry) -> Histogram {
        registry.histogram(
            "db_query_duration_seconds", help: "From sending a statement to its confirmed end.",
            labels: [("statement", name)])
    }
}
