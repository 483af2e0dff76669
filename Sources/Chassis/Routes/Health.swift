import Formatting
import HTTPTypes
import Platform
import Postgres
import Reactor
import Vial

/// Decides whether this instance should get traffic. Checks of one loop that arrive while one is running share its
/// outcome. An object of its loop.
final class Health: Work {
    /// The load balancer gives up after 5 s; the answer must be there well before.
    static let timeLimit = Duration.seconds(2)

    private struct Check {
        var error: DatabaseError?
        /// In nanoseconds; 0: the database was not asked.
        var latency: UInt64 = 0
    }

    private let serviceName: String
    private let readiness: Statement
    private let loop: EventLoop
    private let pool: Pool
    private let drain: Drain
    private let grace: Duration
    private let lastSeen: LastSeen
    /// The callers that share the running check, including the one that started it.
    private var waiting: [Caller] = []

    /// - Parameters:
    ///   - lastSeen: shared by the loops of the process.
    ///   - grace: how long after the last successful check the answer is still 200, as "degraded".
    init(
        of service: Service, on loop: EventLoop, pool: Pool, drain: Drain, lastSeen: LastSeen, grace: Duration
    ) {
        serviceName = service.name
        readiness = service.readiness
        self.loop = loop
        self.lastSeen = lastSeen
        self.pool = pool
        self.drain = drain
        self.grace = grace
    }

    /// The answer of `/health`, from the database: it starts a query unless one is running.
    var answer: Answer {
        if drain.isDraining { return Answer(response("draining", Check(), .serviceUnavailable)) }
        return .work(self)
    }

    func begin(for caller: Caller) {
        waiting.append(caller)
        if waiting.count > 1 { return }
        let start = loop.now
        let limit = min(caller.deadline ?? .distantFuture, start + Self.timeLimit)
        pool.query(readiness) { $0 }.begin(on: loop, until: limit) { [health = LoopBound(self, on: loop)] outcome in
            health.value.end(outcome, since: start)
        }
    }

    private func end(_ outcome: Result<Rows, DatabaseError>, since start: Instant) {
        var check = Check()
        check.error = error(in: outcome)
        if check.error == nil { lastSeen.note(loop.now) }
        check.latency = Instant.now.nanoseconds(since: start)
        let response = judge(check)
        // A caller that asks again at once starts another check.
        let sharing = waiting
        waiting.removeAll()
        for caller in sharing { caller.answer { Answer(response) } }
    }

    /// Why the routes cannot be served; nil when they can.
    private func error(in outcome: Result<Rows, DatabaseError>) -> DatabaseError? {
        do throws(DatabaseError) {
            if try outcome.get().first?.bool(0) == true { return nil }
            return .unexpectedResult("a table of \(serviceName) does not exist or may not be read")
        } catch {
            return error
        }
    }

    /// Whether the error may be answered with 200 within the grace: not when the database answers, but its schema is
    /// not this build's.
    static func passes(_ error: DatabaseError?) -> Bool {
        switch error?.errorClass {
        case .statement?, .result?: false
        default: true
        }
    }

    private func judge(_ check: Check) -> Response {
        if drain.isDraining { return response("draining", check, .serviceUnavailable) }
        if check.error == nil { return response("healthy", check, .ok) }
        if Self.passes(check.error), lastSeen.isWithin(grace, of: loop.now) { return response("degraded", check, .ok) }
        return response("unhealthy", check, .serviceUnavailable)
    }

    private func response(_ status: String, _ check: Check, _ code: HTTPResponse.Status) -> Response {
        var json = JSONWriter(reserving: 128)
        json.beginObject()
        json.key("status")
        json.value(status)
        json.key("checks")
        json.beginObject()
        if check.latency > 0 {
            json.key("database")
            json.beginObject()
            json.key("status")
            json.value(check.error == nil ? "up" : "down")
            json.key("latency_ms")
            json.value(millisecondsOf: check.latency)
            json.endObject()
        }
        json.endObject()
        json.endObject()
        var response = Response(status: code, contentType: "application/json", body: json.bytes)
        response.fields = .notStored
        // So that the log line has the reason.
        response.failure = check.error
        return response
    }
}
