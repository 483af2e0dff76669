import Testing

@testable import Vial

struct DrainTests {
    @Test func `moves forward, also past a phase`() {
        let drain = Drain()
        #expect(drain.phase == .serving && !drain.isDraining)
        drain.enter(.announcing)
        #expect(drain.phase == .announcing && drain.isDraining)
        drain.enter(.announcing)
        drain.enter(.cutting)
        drain.enter(.ended)
        #expect(drain.phase == .ended && drain.isDraining)
    }

    @Test func `keeps the delay until somebody waits`() {
        let drain = Drain()
        #expect(!drain.skipsDelay)
        drain.skipDelay()
        #expect(drain.skipsDelay && !drain.isDraining)
    }

    @Test func `traps when it goes back`() async {
        await #expect(processExitsWith: .failure) {
            let drain = Drain()
            drain.enter(.closing)
            drain.enter(.announcing)
        }
    }
}
