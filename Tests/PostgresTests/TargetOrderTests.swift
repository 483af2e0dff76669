import Testing

@testable import Postgres

struct TargetOrderTests {
    private let targets = ["a", "b", "c"].map { ConnectionOptions.Target(host: $0, port: "5432") }
    private let order = TargetOrder()

    private var hosts: String { order.sorted(targets).map(\.host).joined() }

    @Test func `begins as the servers were given`() {
        #expect(hosts == "abc")
    }

    @Test func `the server that served last comes first, the one that failed last comes last`() {
        #expect(hosts == "abc")
        order.prefer(targets[1])
        #expect(hosts == "bac")
        order.defer(targets[1])
        #expect(hosts == "acb")
        order.defer(targets[0])
        order.prefer(targets[2])
        #expect(hosts == "cba")
    }

    @Test func `another list of servers begins anew`() {
        order.prefer(targets[2])
        let others = [targets[1], ConnectionOptions.Target(host: "d", port: "5432")]
        #expect(order.sorted(others) == others)
        #expect(hosts == "abc")
    }
}
