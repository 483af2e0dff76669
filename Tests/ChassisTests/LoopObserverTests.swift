import HTTP1
import HTTPTypes
import Postgres
import Reactor
import Telemetry
import Testing

@testable import Chassis
@testable import TestSupport
@testable import Vial

struct LoopObserverTests {
    private static let find = Statement("find_item", "SELECT 1")
    private static let service = Service(
        name: "items", version: "1.2.3", summary: "", statements: [find, Statement("list_items", "SELECT 2")]
    ) { _, _ in }
    private static let tail = #","instance_id":"i-1","environment":"prod"}"#

    /// The log lines and the metrics after `report`.
    private func observe(
        _ values: [String: String] = [:], _ report: (LoopObserver) throws -> Void
    ) throws -> (lines: [String], metrics: String) {
        let pipe = LogPipe()
        let values = values.merging(["ENVIRONMENT": "prod"]) { given, _ in given }
        let observability = try Observability(
            of: Self.service, try configuration(values), instanceID: "i-1", descriptor: pipe.writeEnd.number)
        // Not started: the observer may be used before its loop runs.
        let observer = observability.makeObserver(on: try EventLoop(index: 0))
        try report(observer)
        observer.flush(force: true)
        observability.close()
        let metrics = String(decoding: Exposition.render(observability.registry, as: .text), as: UTF8.self)
        return (pipe.lines(), metrics)
    }

    private func request(
        _ target: String = "/api/items/7?x=1", peer: String = "10.0.0.1", trusted: Bool = true,
        fields: [(String, String)] = []
    ) throws -> Request {
        var app = App()
        app.get("/api/items/{id}") { (_, _: Int64) in .noContent }
        let request = try Request(.get, target, fields: fields)
        request.peer = SocketAddress(host: peer, port: 1)
        request.isPeerTrusted = trusted
        var identifiers = RequestID()
        identifiers.choose(for: request)
        request.requestIDBytes = Array("test".utf8)
        _ = app.plan(for: request)
        return request
    }

    @Test func `a request is one line and three numbers`() throws {
        let request = try request(fields: [
            ("X-Forwarded-For", "1.1.1.1, 198.51.100.1:99"), ("X-Amzn-Trace-Id", "Root=1-2-3;Self=4"),
            ("X-Forwarded-Proto", "https"),
            ("User-Agent", "a \"b\""),
        ])
        let seen = try observe { observer in
            observer.observe(.started)
            observer.observe(.completed(request, status: 200, bytes: 1834, nanoseconds: 412_345, failure: nil))
        }
        #expect(
            seen.lines == [
                #"{"level":"INFO","msg":"Request completed","method":"GET","path":"/api/items/7","#
                    + #""route":"/api/items/{id}","status":200,"response_time_ms":0.412,"bytes":1834,"#
                    + #""request_id":"test","trace_id":"1-2-3","scheme":"https","remote_addr":"198.51.100.1","user_agent":"a \"b\"""#
                    + Self.tail
            ])
        #expect(seen.metrics.contains("\nhttp_requests_in_flight 0\n"))
        #expect(
            seen.metrics.contains(#"http_requests_total{method="GET",route="/api/items/{id}",status="200"} 1"# + "\n"))
        let buckets = #"http_request_duration_seconds_bucket{method="GET",route="/api/items/{id}",le="0.0005"} 1"#
        #expect(seen.metrics.contains(buckets + "\n"))
    }

    @Test func `a fault is logged as an error with its cause`() throws {
        let forwarded = [("X-Forwarded-For", "1.1.1.1")]
        let request = try request("/nothing", peer: "203.0.113.5", trusted: false, fields: forwarded)
        let seen = try observe(["ACCESS_LOG": "0"]) { observer in
            observer.observe(.completed(request, status: 404, bytes: 0, nanoseconds: 0, failure: nil))
            observer.observe(
                .completed(request, status: 503, bytes: 9, nanoseconds: 2_000_000, failure: DatabaseError.queueFull))
        }
        #expect(
            seen.lines == [
                #"{"level":"ERROR","msg":"Request completed","method":"GET","path":"/nothing","#
                    + #""route":"unmatched","status":503,"response_time_ms":2.000,"bytes":9,"request_id":"test","#
                    + #""remote_addr":"203.0.113.5","error":"too many statements wait for a database connection""#
                    + Self.tail
            ])
        for status in [404, 503] {
            let sample = #"http_requests_total{method="GET",route="unmatched",status="\#(status)"} 1"#
            #expect(seen.metrics.contains(sample + "\n"))
        }
    }

    @Test func `refused messages are counted by reason`() throws {
        let nothing = Request()
        nothing.peer = SocketAddress(host: "192.0.2.1", port: 1)
        let seen = try observe { observer in
            observer.observe(.refused(.malformed(.badVersion)))
            observer.observe(.started)
            observer.observe(
                .completed(
                    nothing, status: 400, bytes: 5, nanoseconds: 0,
                    failure: ServerEvent.Refusal.malformed(.badVersion)))
            observer.observe(.refused(.headTimedOut))
            observer.observe(.refused(.bodyTimedOut))
        }
        #expect(seen.lines.count == 1)
        #expect(seen.lines[0].contains(#""route":"unmatched","status":400,"#))
        #expect(seen.lines[0].contains(#""remote_addr":"192.0.2.1","error":"bad_version""#))
        #expect(seen.metrics.contains(#"http_parse_errors_total{reason="bad_version"} 1"# + "\n"))
        #expect(seen.metrics.contains(#"http_parse_errors_total{reason="timeout"} 2"# + "\n"))
        #expect(seen.metrics.contains(#"http_parse_errors_total{reason="bad_method"} 0"# + "\n"))
        #expect(seen.metrics.contains(#"http_requests_total{method="other",route="unmatched",status="400"} 1"# + "\n"))
    }

    @Test func `connections are counted without a line`() throws {
        let seen = try observe { observer in
            for _ in 0..<3 { observer.observe(ServerEvent.accepted) }
            observer.observe(ServerEvent.closed)
            observer.observe(ServerEvent.started)
            observer.observe(ServerEvent.started)
            observer.observe(ServerEvent.abandoned)
        }
        #expect(seen.lines == [])
        #expect(seen.metrics.contains("\nhttp_connections_accepted_total 3\n"))
        #expect(seen.metrics.contains("\nhttp_connections_open 2\n"))
        #expect(seen.metrics.contains("\nhttp_requests_in_flight 1\n"))
    }

    @Test func `the server's phases are logged`() throws {
        let seen = try observe { observer in
            observer.observe(.connectionLimitReached(7))
            for phase in [Drain.Phase.announcing, .closing, .cutting, .ended] { observer.observe(.drain(phase)) }
            observer.observe(.drainTimedOut(open: 3))
        }
        #expect(
            seen.lines == [
                #"{"level":"WARNING","msg":"Connection limit reached: idle connections are given up, or clients wait","limit":7"#
                    + Self.tail,
                #"{"level":"INFO","msg":"Draining: health checks fail, requests are still served""# + Self.tail,
                #"{"level":"INFO","msg":"Draining: no new connections, requests in flight finish""# + Self.tail,
                #"{"level":"INFO","msg":"Drained""# + Self.tail,
                #"{"level":"WARNING","msg":"Drain timed out: connections are cut","open_connections":3"# + Self.tail,
            ])
    }

    @Test func `the pool's important events are logged`() throws {
        let seen = try observe { observer in
            observer.observe(PoolEvent.opened(duration: 1))
            observer.observe(PoolEvent.up)
            observer.observe(PoolEvent.lost(.connectionLost))
            observer.observe(PoolEvent.down(.connectFailed("no route")))
            observer.observe(PoolEvent.openFailed(.connectFailed("no route")))
            observer.observe(PoolEvent.reconnected)
            observer.observe(PoolEvent.up)
        }
        #expect(
            seen.lines == [
                #"{"level":"INFO","msg":"Database is reachable""# + Self.tail,
                #"{"level":"WARNING","msg":"Database connection lost","#
                    + #""error":"the connection to the database was lost""# + Self.tail,
                #"{"level":"ERROR","msg":"Database is unreachable","error":"no route""# + Self.tail,
                #"{"level":"INFO","msg":"Database is reachable""# + Self.tail,
            ])
        #expect(seen.metrics.contains("\ndb_reconnects_total 1\n"))
        #expect(seen.metrics.contains(#"db_errors_total{class="connection"} 1"# + "\n"))
    }

    /// The values of a label of a metric.
    private func labels(_ label: String, of metric: String, in metrics: String) -> [String] {
        metrics.split(separator: "\n").filter { $0.hasPrefix("\(metric){") }.map { line in
            String(line.split(separator: "\(label)=\"")[1].prefix { $0 != "\"" })
        }.sorted()
    }

    @Test func `each reason to refuse a message has a series, and those of queries have none`() throws {
        let reasons = Set(ProtocolError.allCases).subtracting([.invalidUTF8, .tooManyQueryItems]).map(\.reason)
        let seen = try observe { _ in }
        #expect(
            labels("reason", of: "http_parse_errors_total", in: seen.metrics) == (reasons + ["timeout"]).sorted())
    }

    @Test func `control characters from clients are escaped in the log`() throws {
        let request = try request(fields: [
            ("User-Agent", "a\u{9B}31mb\u{85}\u{2028}\u{202E}"), ("X-Request-Id", "\u{9B}"),
            ("X-Forwarded-For", "\u{9B}"),
            ("X-Amzn-Trace-Id", "Root=\u{9B}"), ("X-Forwarded-Proto", "\u{9B}"),
        ])
        let seen = try observe { observer in
            observer.observe(
                .completed(
                    request, status: 500, bytes: 0, nanoseconds: 0,
                    failure: DatabaseError.unexpectedResult("\u{7F}\u{9B}\u{2029}")))
        }
        #expect(
            seen.lines.first?.hasSuffix(
                #""remote_addr":"10.0.0.1","user_agent":"a\u009b31mb\u0085\u2028\u202e","#
                    + #""error":"unexpected result: \u007f\u009b\u2029""# + Self.tail) == true)
    }

    @Test func `statements are counted, and named at debug level`() throws {
        let statement = Self.find
        let seen = try observe(["LOG_LEVEL": "debug", "DB_POOL_MAX": "7"]) { observer in
            observer.observe(PoolEvent.waited(nanoseconds: 2_000_000))
            observer.observe(PoolEvent.completed(statement, nanoseconds: 900_000))
            observer.observe(PoolEvent.failed(statement, .deadlineExceeded))
            observer.observe(PoolEvent.opened(duration: 1_500_000))
            var load = PoolLoad()
            (load.idle, load.inUse, load.waiting) = (1, 2, 3)
            observer.observe(PoolEvent.load(load))
        }
        #expect(
            seen.lines == [
                #"{"level":"DEBUG","msg":"Statement failed","statement":"find_item","#
                    + #""error":"the statement took too long""# + Self.tail,
                #"{"level":"DEBUG","msg":"Database connection opened","duration_ms":1.500"# + Self.tail,
            ])
        for sample in [
            #"db_pool_connections{state="idle"} 1"#, #"db_pool_connections{state="in_use"} 2"#, "db_pool_waiting 3",
            "db_pool_connections_max 7", "db_pool_wait_seconds_count 1",
            #"db_query_duration_seconds_bucket{statement="find_item",le="0.001"} 1"#,
            #"db_query_duration_seconds_count{statement="list_items"} 0"#, #"db_errors_total{class="timeout"} 1"#,
            "log_lines_dropped_total 0",
        ] {
            #expect(seen.metrics.contains("\n" + sample + "\n"), "\(sample)")
        }
    }

    @Test func `no outside text breaks a line`() throws {
        let fields = [("User-Agent", "\u{E9}\"\\ {}"), ("X-Forwarded-For", "<script>")]
        let request = try request("/a%22%0A", fields: fields)
        let seen = try observe { observer in
            observer.observe(.completed(request, status: 404, bytes: 0, nanoseconds: 0, failure: nil))
        }
        #expect(seen.lines.count == 1)
        #expect(seen.lines[0].contains(#""path":"/a%22%0A","#))
        #expect(seen.lines[0].contains(#""remote_addr":"10.0.0.1","user_agent":"é\"\\ {}""#))
    }

    @Test func `all statements that the service does not list share one series`() throws {
        let seen = try observe { observer in
            for number in 0..<1000 {
                let made = Statement("made_\(number)", "SELECT \(number)")
                observer.observe(PoolEvent.completed(made, nanoseconds: 900_000))
            }
        }
        #expect(seen.metrics.contains("\ndb_query_duration_seconds_count{statement=\"other\"} 1000\n"))
        #expect(!seen.metrics.contains("made_"))
    }
}
