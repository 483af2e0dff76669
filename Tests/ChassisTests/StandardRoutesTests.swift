import HTTP1
import HTTPTypes
import Platform
import Reactor
import Testing
import Vial

@testable import Chassis
@testable import Postgres
@testable import TestSupport

@Suite(.timeLimit(.minutes(1))) struct StandardRoutesTests {
    @Test func `serves these paths and no others`() async throws {
        try await withUnreachableDatabase { app, _ in
            #expect(
                app.routes.map(\.pattern) == [
                    "/", "/health", "/health/ready", "/healthz", "/health/live", "/db", "/metrics", "/problems/{name}",
                    "/api/items", "/api/items/{id}", "/openapi.json", "/docs", "/docs/docs.css", "/docs/docs.js",
                    "/.well-known/api-catalog",
                ])
            #expect(
                Set(StandardRoutes.patterns + ["/healthz", "/api/items", "/api/items/{id}"])
                    == Set(app.routes.map(\.pattern)))
        }
    }

    @Test(arguments: [
        ("/", "GET, HEAD, OPTIONS"), ("/health", "GET, HEAD, OPTIONS"), ("/db", "GET, HEAD, OPTIONS"),
        ("/metrics", "GET, HEAD, OPTIONS"),
    ])
    func `accepts these methods`(path: String, allow: String) async throws {
        try await withUnreachableDatabase { app, _ in
            let response = await app.respond(to: try Request(.options, path))
            #expect(response.fields.value("Allow") == allow)
        }
    }

    @Test func `the root describes the service and links to the other resources`() async throws {
        try await withUnreachableDatabase(basePath: "/base") { app, _ in
            let response = await app.respond(to: try Request(.get, "/base"))
            #expect(response.status == .ok)
            let start =
                #"{"service":"items","version":"1.2.3","environment":"test","instance_id":"i-1","#
                + #""uptime_seconds":"#
            #expect(response.text.hasPrefix(start))
            let links =
                #""links":{"items":"/base/api/items","health":"/base/health","database":"/base/db","#
                + #""metrics":"/base/metrics"}}"#
            #expect(response.text.hasSuffix(links))
        }
    }

    @Test func `the root and the catalog lead to the document, its page and the health`() async throws {
        try await withUnreachableDatabase(basePath: "/base") { app, _ in
            let root = await app.respond(to: try Request(.get, "/base"))
            #expect(
                root.fields.value("Link")
                    == "</base/openapi.json>; rel=\"service-desc\"; type=\"application/json\", "
                    + "</base/docs>; rel=\"service-doc\"; type=\"text/html\", "
                    + "</base/.well-known/api-catalog>; rel=\"api-catalog\"")
            let catalog = await app.respond(to: try Request(.get, "/base/.well-known/api-catalog"))
            #expect(
                catalog.contentType?.description
                    == "application/linkset+json; profile=\"https://www.rfc-editor.org/info/rfc9727\"")
            #expect(
                catalog.text == #"{"linkset":[{"anchor":"/base","#
                    + #""service-desc":[{"href":"/base/openapi.json","type":"application/json"}],"#
                    + #""service-doc":[{"href":"/base/docs","type":"text/html"}],"#
                    + #""status":[{"href":"/base/health","type":"application/json"}]}]}"#)
            #expect(catalog.fields.value("Link") == "</base/.well-known/api-catalog>; rel=\"api-catalog\"")
        }
    }

    @Test func `the document names the service and its address`() async throws {
        try await withUnreachableDatabase(basePath: "/base") { app, _ in
            let response = await app.respond(to: try Request(.get, "/base/openapi.json"))
            #expect(response.status == .ok && response.fields.value("Cache-Control") == "max-age=300")
            let tag = try #require(response.entityTag)
            let again = try Request(.get, "/base/openapi.json", fields: [("If-None-Match", tag)])
            #expect(await app.respond(to: again).status == .notModified)
            let start =
                #"{"openapi":"3.1.1","info":{"title":"items","version":"1.2.3","description":"Serves items."},"#
                + #""servers":[{"url":"/base"}]"#
            #expect(response.text.hasPrefix(start))
        }
    }

    @Test func `the document lists the routes that the port serves`() async throws {
        let hidden: Set = ["read_database", "read_metrics"]
        let others: Set = ["read_service", "read_health", "read_readiness", "read_liveness"]
        try await withUnreachableDatabase { app, _ in
            #expect(Set(app.operations.map(\.id)) == hidden.union(others))
        }
        try await withUnreachableDatabase(hidesOperations: true) { app, _ in
            #expect(Set(app.operations.map(\.id)) == others)
        }
    }

    @Test func `a declared operation answers a database error as other routes do`() async throws {
        struct Count: Encodable, Representation {
            static let schema = Schema.object("Count", [.required("count", .int(0...9))])
            let count: Int
        }
        let statement = Statement("count", "SELECT 1::int8")
        let service = Service(name: "counts", version: "1.0.0", summary: "Counts.", statements: [statement]) {
            app, context in
            app.get("/counts/{id}", "read_count", "Counts") { (_, _: Int64) in
                context.pool.first(statement) { row in Count(count: try row[0]) }
            }
        }
        try await withUnreachableDatabase(of: service) { app, _ in
            #expect(app.operations.first?.id == "read_count")
            for (path, status) in [("/counts/1", 503), ("/counts/x", 404), ("/counts/1?x=1", 400)] {
                let response = await app.respond(to: try Request(.get, path))
                #expect(response.status.code == status, "\(path)")
            }
        }
    }

    @Test func `the root's uptime advances with the seconds`() throws {
        let began = Instant.now
        let description = ServiceDescription(of: service, try configuration([:]), instanceID: "i-1")
        let links = description.links(basePath: "", hidesOperations: false)
        let texts = try [0, 1, 12, 3_600].map { seconds in
            // Allows half a second between the readings of the two clocks.
            try description.answer(at: began + .seconds(seconds) + .milliseconds(500), links: links).text
        }
        for (text, uptime) in zip(texts, [0, 1, 12, 3_600]) {
            #expect(text.contains("\"uptime_seconds\":\(uptime),\"links\":"))
        }
        #expect(try description.answer(at: Instant(nanoseconds: 0), links: links).text == texts[0])
    }

    @Test func `the root shows the instance id as soon as it is known`() throws {
        let description = ServiceDescription(of: service, try configuration([:]), instanceID: "host")
        let links = description.links(basePath: "", hidesOperations: false)
        let now = Instant.now
        #expect(try description.answer(at: now, links: links).text.contains(#""instance_id":"host""#))
        description.changeInstance(to: "i-1")
        #expect(try description.answer(at: now, links: links).text.contains(#""instance_id":"i-1""#))
    }

    @Test(arguments: [
        (DatabaseError.unavailable, 503), (.waitTimedOut, 503), (.queueFull, 503), (.connectionLost, 503),
        (.closing, 503), (.deadlineExceeded, 504), (.unexpectedResult("x"), 500),
    ])
    func `the database's errors become statuses without detail`(error: DatabaseError, status: Int) async throws {
        try await withUnreachableDatabase { app, _ in
            var app = app
            app.get("/fails") { _ in throw error }
            let response = await app.respond(to: try Request(.get, "/fails"))
            #expect(response.status.code == status)
            #expect((response.fields.value("Retry-After") != nil) == (status == 503))
            #expect(response.failure as? DatabaseError == error)
        }
    }

    @Test(arguments: [
        ("08006", 503), ("28P01", 503), ("25006", 503), ("53300", 503), ("57P01", 503), ("25P03", 503), ("40001", 503),
        ("55P03", 503), ("42P01", 503), ("0A000", 503), ("57014", 504), ("22012", 500), ("23505", 500), ("XX000", 500),
    ])
    func `PostgreSQL's errors become statuses that say whether a retry may help`(
        state: String, status: Int
    ) async throws {
        try await withUnreachableDatabase { app, _ in
            var app = app
            app.get("/fails") { _ in
                throw DatabaseError.server(.init(sqlState: state, message: "internal", constraint: nil))
            }
            let response = await app.respond(to: try Request(.get, "/fails"))
            #expect(response.status.code == status)
            #expect((response.fields.value("Retry-After") != nil) == (status == 503))
            #expect(!response.text.contains("internal"))
        }
    }

    @Test(arguments: ["/metrics", "/db"]) func `hides routes served on another port`(path: String) async throws {
        try await withUnreachableDatabase(hidesOperations: true) { app, _ in
            let response = await app.respond(to: try Request(.get, path))
            #expect(response.status == .notFound)
            let health = await app.respond(to: try Request(.get, "/health/live"))
            #expect(health.status == .ok)
        }
    }

    @Test(arguments: ["/%6detrics", "/metric%73", "/%64b", "/d%62"])
    func `operators' paths have one spelling, which a balancer can hide`(path: String) async throws {
        try await withUnreachableDatabase { app, _ in
            let response = await app.respond(to: try Request(.get, path))
            #expect(response.status == .notFound)
        }
    }

    @Test func `the metrics use the requested format`() async throws {
        try await withUnreachableDatabase { app, _ in
            let text = await app.respond(to: try Request(.get, "/metrics"))
            #expect(text.contentType?.description == "text/plain; version=0.0.4; charset=utf-8")
            let accept = [("Accept", "application/openmetrics-text; version=1.0.0")]
            let openMetrics = await app.respond(to: try Request(.get, "/metrics", fields: accept))
            #expect(
                openMetrics.contentType?.description == "application/openmetrics-text; version=1.0.0; charset=utf-8")
            #expect(openMetrics.text.hasSuffix("# EOF\n"))
        }
    }

    @Test(arguments: ["/db"])
    func `answers 503 with Retry-After while the database is unavailable`(target: String) async throws {
        try await withUnreachableDatabase { app, _ in
            let response = await app.respond(to: try Request(.get, target))
            #expect(response.status == .serviceUnavailable)
            #expect(response.fields.value("Retry-After") == "1")
            #expect(!response.text.contains("refused"))
            #expect(response.failure as? DatabaseError == .unavailable)
        }
    }
}
