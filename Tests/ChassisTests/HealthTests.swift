import HTTP1
import HTTPTypes
import Platform
import Testing

@testable import Chassis
@testable import Postgres
@testable import TestSupport
@testable import Vial

@Suite(.timeLimit(.minutes(1))) struct HealthTests {
    @Test func `the database was seen within a time from its last record, and never before`() {
        let lastSeen = LastSeen()
        #expect(!lastSeen.isWithin(.seconds(1_000_000_000), of: Instant(nanoseconds: 5)))
        lastSeen.note(Instant(nanoseconds: 100))
        #expect(lastSeen.isWithin(.nanoseconds(50), of: Instant(nanoseconds: 149)))
        #expect(!lastSeen.isWithin(.nanoseconds(50), of: Instant(nanoseconds: 150)))
        #expect(!lastSeen.isWithin(.zero, of: Instant(nanoseconds: 100)))
    }

    @Test func `a reachable database without the needed tables is not a transient outage`() {
        let missing = DatabaseError.server(.init(sqlState: "42P01", message: "", constraint: nil))
        let away = DatabaseError.server(.init(sqlState: "57P01", message: "", constraint: nil))
        #expect(!Health.passes(missing) && !Health.passes(.unexpectedResult("")))
        #expect(Health.passes(away) && Health.passes(.unavailable) && Health.passes(.deadlineExceeded))
    }

    @Test(arguments: ["/health", "/health/ready", "/healthz"])
    func `is unhealthy while the database cannot be reached`(path: String) async throws {
        try await withUnreachableDatabase { app, _ in
            let response = await app.respond(to: try Request(.get, path))
            #expect(response.status == .serviceUnavailable)
            let form = /\{"status":"unhealthy","checks":\{"database":\{"status":"down","latency_ms":\d+\.\d{3}\}\}\}/
            #expect(try form.wholeMatch(in: response.text) != nil, "\(response.text)")
        }
    }

    @Test func `reports draining, without a query`() async throws {
        try await withUnreachableDatabase { app, drain in
            drain.enter(.announcing)
            let response = await app.respond(to: try Request(.get, "/health"))
            #expect(response.status == .serviceUnavailable)
            #expect(response.text == #"{"status":"draining","checks":{}}"#)
        }
    }

    @Test func `liveness depends on neither database nor drain`() async throws {
        try await withUnreachableDatabase { app, drain in
            drain.enter(.closing)
            let response = await app.respond(to: try Request(.get, "/health/live"))
            #expect(response.status == .ok)
            #expect(response.text == #"{"status":"alive"}"#)
        }
    }

    @Test func `answers concurrent checks`() async throws {
        try await withUnreachableDatabase { app, _ in
            let statuses = await withTaskGroup(of: Int.self) { group in
                for _ in 0..<20 {
                    group.addTask {
                        guard let request = try? Request(.get, "/health") else { return 0 }
                        return await app.respond(to: request).status.code
                    }
                }
                return await group.reduce(into: []) { $0.append($1) }
            }
            #expect(statuses == Array(repeating: 503, count: 20))
        }
    }
}
