import Testing

@testable import Postgres

struct TargetOrderTests {
    private let targets = ["a", "b", "c"].map { ConnectionOptions.Target(host: $0, port: "5432") }
    private let order = TargetOrder()

    private var hosts: String { order.sorted(targets).map(\.host).joined() }

    @Test func `starts with the given order`() {
        #expect(hosts == "abc")
    }

    @Test func `the last server that worked comes first, the last one that failed comes last`() {
        #expect(hosts == "abc")
        order.prefer(targets[1])
        #expect(hosts == "bac")
        order.defer(targets[1])
        #expect(hosts == "acb")
        order.defer(targets[0])
        order.prefer(targets[2])
        #expect(hosts == "cba")
    }

    @Test func `a changed list of servers resets the order`() {
        order.prefer(targets[2])
        let others = [targets[1], ConnectionOptions.Target(host: "d", port: "5432")]
        #expect(order.sorted(others) == others)
        #expect(hosts == "abc")
    }
}
