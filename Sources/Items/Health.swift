import Formatting
import HTTPTypes
public import Postgres
public import Reactor
import Synchronization
public import Vial

/// When a health check last found the database, for all loops of the process. Any thread may use it.
public final class LastSeen: Sendable {
    // 0: never.
    private let moment = Atomic<UInt64>(0)

    /// Never, so far.
    public init() {}

    func note(_ now: UInt64) {
        moment.store(now, ordering: .relaxed)
    }

    func isWithin(_ nanoseconds: UInt64, of now: UInt64) -> Bool {
        let moment = moment.load(ordering: .relaxed)
        return moment > 0 && now < moment + nanoseconds
    }
}

/// Whether this instance should get traffic. Checks of one loop that come while one is on its way share its answer. Used on
/// its loop's thread only; an actor would cost each check four switches of its task.
@safe public final class Health: @unchecked Sendable {
    /// The balancer gives up after 5 s; the answer must be there well before.
    static let budgetNanoseconds: UInt64 = 2_000_000_000
    static let statement = Statement("health", "SELECT 1::int8")

    private struct Check {
        var error: DatabaseError?
        var latency: UInt64 = 0
    }

    private let loop: EventLoop
    private let pool: Pool
    private let drain: Drain
    private let grace: UInt64
    private let lastSeen: LastSeen
    private var isChecking = false
    // Each is resumed exactly once: the list is emptied when they are.
    private var waiting: [UnsafeContinuation<Check?, Never>] = unsafe []

    /// - Parameters:
    ///   - lastSeen: shared by the loops of the process.
    ///   - graceMilliseconds: how long after the database was last seen the answer is still 200, as "degraded".
    public init(on loop: EventLoop, pool: Pool, drain: Drain, lastSeen: LastSeen, graceMilliseconds: Int) {
        self.loop = loop
        self.lastSeen = lastSeen
        self.pool = pool
        self.drain = drain
        grace = UInt64(graceMilliseconds) * 1_000_000
    }

    /// The answer of `/health`.
    func respond() async -> Response {
        if drain.isDraining { return answer("draining", Check(), .serviceUnavailable) }
        let check = await sharedCheck()
        if drain.isDraining { return answer("draining", check, .serviceUnavailable) }
        if check.error == nil { return answer("healthy", check, .ok) }
        if lastSeen.isWithin(grace, of: loop.now) { return answer("degraded", check, .ok) }
        return answer("unhealthy", check, .serviceUnavailable)
    }

    private func sharedCheck() async -> Check {
        while isChecking {
            let shared: Check? = await unsafe withUnsafeContinuation { continuation in
                // Between the look and the suspension the check may have ended.
                if isChecking {
                    unsafe waiting.append(continuation)
                } else {
                    unsafe continuation.resume(returning: nil)
                }
            }
            if let shared { return shared }
        }
        isChecking = true
        let check = await runCheck()
        isChecking = false
        let sharing = unsafe waiting
        unsafe waiting.removeAll(keepingCapacity: true)
        for index in unsafe sharing.indices { unsafe sharing[index].resume(returning: check) }
        return check
    }

    private func runCheck() async -> Check {
        let start = loop.now
        let deadline = TaskDeadline.current
        let before = deadline?.expiry
        deadline?.expiry = min(before ?? .max, start + Self.budgetNanoseconds)
        defer { deadline?.expiry = before }
        var check = Check()
        do throws(DatabaseError) {
            _ = try await pool.query(Self.statement)
            lastSeen.note(loop.now)
        } catch {
            check.error = error
        }
        check.latency = EventLoop.monotonicNanoseconds() - start
        return check
    }

    private func answer(_ status: String, _ check: Check, _ code: HTTPResponse.Status) -> Response {
        var response = Response.json(status: code) { json in
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
        }
        // So that the log line says why.
        response.failure = check.error
        return response
    }
}
