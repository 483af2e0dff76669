import Testing

@testable import Simulation

struct WorldTests {
    private func trace(of seed: UInt64) -> [String] {
        let world = World()
        var lines: [String] = []
        world.trace = { lines.append($0) }
        world.prepare(seed: seed)
        world.run()
        return lines
    }

    @Test func `plays the same schedule for the same seed, regardless of earlier ones`() {
        let world = World()
        for seed in UInt64(1)...20 {
            world.prepare(seed: seed)
            world.run()
        }
        var lines: [String] = []
        world.trace = { lines.append($0) }
        world.prepare(seed: 5)
        world.run()
        #expect(!lines.isEmpty && lines == trace(of: 5))
    }

    @Test func `stops at the first broken invariant`() {
        let world = World()
        world.prepare(seed: 1)
        world.fail(.bounds, "first")
        world.fail(.late, "second")
        world.run()
        #expect(world.failure?.invariant == .bounds && world.steps == 0)
    }

    @Test func `detects a write that is committed twice`() {
        let world = World()
        world.prepare(seed: 1)
        var write = StatementRecord()
        write.kind = .insert
        write.run = .open
        write.commits = 1
        world.statements = [write]
        world.undone(0)
        #expect(world.failure?.invariant == .ranAgain)
    }
}
