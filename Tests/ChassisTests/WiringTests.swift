import Reactor
import Testing
import Vial

@testable import Chassis

struct WiringTests {
    @Test func `the operators' port stops without the load balancer's delay`() throws {
        let configuration = try configuration(["DRAIN_DELAY_MS": "7000"])
        let options = ServerOptions(of: service, configuration, memory: .unlimited, connections: 10)
        #expect(options.drainDelay == .seconds(7))
        #expect(options.admin(port: 9).drainDelay == .zero)
    }
}
