import FoundationEssentials
import Reactor
import Telemetry
import Testing

@testable import Chassis
@testable import TestSupport

struct StatementsTests {
    @Test func `each documented statement has a series, and no series stays without observations`()
        throws
    {
        let tests = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        let page = try String(contentsOf: tests.appending(path: "../docs/observability.md"), encoding: .utf8)
        let row = try #require(page.split(separator: "\n").first { $0.hasPrefix("| `db_query_duration_seconds`") })
        let documented = row.split(separator: "Sync:")[1].split(separator: "`").filter { $0.first?.isLetter == true }
        let pipe = LogPipe()
        let observability = try Observability(
            of: itemsService, try configuration(of: itemsService), instanceID: "i-1",
            descriptor: pipe.writeEnd.number)
        _ = observability.makeObserver(on: try EventLoop(index: 0))
        observability.close()
        let metrics = String(decoding: Exposition.render(observability.registry, as: .text), as: UTF8.self)
        let series = metrics.split(separator: "\n").filter { $0.hasPrefix("db_query_duration_seconds_count{") }
        #expect(
            series.map { String($0.split(separator: "statement=\"")[1].prefix { $0 != "\"" }) }.sorted()
                == documented.map(String.init).sorted())
    }
}
