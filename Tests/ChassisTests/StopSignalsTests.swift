import Glibc
import Testing

@testable import Chassis

struct StopSignalsTests {
    @Test(arguments: [(false, false, true), (false, true, false), (true, false, false), (true, true, false)])
    func `SIGTERM keeps the load balancer's delay once clients may be routed here`(
        isReady: Bool, wasHealthy: Bool, skips: Bool
    ) {
        #expect(StopSignals.skipsDelay(SIGTERM, isReady: isReady, wasHealthy: wasHealthy) == skips)
    }

    @Test(arguments: [false, true])
    func `SIGINT skips the load balancer's delay`(isReady: Bool) {
        #expect(StopSignals.skipsDelay(SIGINT, isReady: isReady, wasHealthy: true))
    }
}
