import HTTP1
import HTTPTypes
import Telemetry
import Testing

@testable import Chassis
@testable import Vial

struct RequestMetricsTests {
    @Test func `the number of label sets is limited for any requests`() throws {
        let registry = Registry()
        let metrics = RequestMetrics(registry)
        for name in ["BREW", "get", "PROPFIND", "TRACE"] {
            let method = try #require(HTTPRequest.Method(name))
            metrics.observe(try Request(method, "/" + name), status: 501, nanoseconds: 1)
        }
        let text = String(decoding: Exposition.render(registry, as: .text), as: UTF8.self)
        let samples = text.split(separator: "\n").filter { $0.hasPrefix("http_requests_total{") }
        #expect(samples == [#"http_requests_total{method="other",route="unmatched",status="501"} 4"#])
    }

    @Test func `loops that count the same route share one series`() throws {
        let registry = Registry()
        var app = App()
        app.get("/items/{id}") { (_, _: Int64) in .noContent }
        for _ in 0..<2 {
            let metrics = RequestMetrics(registry)
            for (method, status) in [(HTTPRequest.Method.get, 200), (.get, 404), (.head, 200)] {
                let request = try Request(method, "/items/7")
                _ = app.plan(for: request)
                metrics.observe(request, status: status, nanoseconds: 3_000_000_000)
            }
        }
        let text = String(decoding: Exposition.render(registry, as: .text), as: UTF8.self)
        #expect(
            text.split(separator: "\n").filter { $0.hasPrefix("http_requests_total{") } == [
                #"http_requests_total{method="GET",route="/items/{id}",status="200"} 2"#,
                #"http_requests_total{method="GET",route="/items/{id}",status="404"} 2"#,
                #"http_requests_total{method="HEAD",route="/items/{id}",status="200"} 2"#,
            ])
        #expect(text.contains(#"http_request_duration_seconds_count{method="GET",route="/items/{id}"} 4"# + "\n"))
        #expect(text.contains(#"http_request_duration_seconds_sum{method="GET",route="/items/{id}"} 12.0"# + "\n"))
    }
}
