import Glibc
import Testing

@testable import Chassis

struct StopSignalsTests {
    @Test(arguments: [(false, false, true), (false, true, false), (true, false, false), (true, true, false)])
    func `SIGTERM leaves a balancer its time once one may send clients`(isReady: Bool, wasHealthy: Bool, skips: Bool) {
        #expect(StopSignals.skipsDelay(SIGTERM, isReady: isReady, wasHealthy: wasHealthy) == skips)
    }

    @Test(arguments: [false, true])
    func `SIGINT leaves a balancer no time`(isReady: Bool) {
        #expect(StopSignals.skipsDelay(SIGINT, isReady: isReady, wasHealthy: true))
    }
}
