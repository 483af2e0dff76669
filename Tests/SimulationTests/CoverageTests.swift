import Testing

@testable import Simulation

struct CoverageTests {
    @Test func `reports what was never seen`() {
        let world = World()
        world.see(.pipelined)
        world.see(.drainCut)
        var coverage = Coverage()
        coverage.add(world)
        #expect(coverage.missing.count == Sight.allCases.count - 2)
        #expect(!coverage.missing.contains(.pipelined) && !coverage.missing.contains(.drainCut))
    }
}
