import Testing

@testable import Reactor

struct GatheringTests {
    /// Enough descriptors for a wait among `recentMinimum`.
    private static let watched = Gathering.recentMinimum + Gathering.othersMinimum
    private static let much = Int(Gathering.worth) + 1

    /// Asks for a wait and says whether it is granted.
    private func waits(_ gathering: inout Gathering) -> Bool {
        gathering.ask(recent: Gathering.recentMinimum, watched: Self.watched)
        return gathering.begin()
    }

    @Test func `a turn that asks for nothing does not wait`() {
        var gathering = Gathering()
        #expect(!gathering.begin())
    }

    @Test func `a turn waits when some came together and others could come`() {
        var gathering = Gathering()
        #expect(waits(&gathering))
    }

    @Test func `one that comes alone is not kept waiting`() {
        var gathering = Gathering()
        gathering.ask(recent: Gathering.recentMinimum - 1, watched: 1000)
        #expect(!gathering.begin())
    }

    @Test func `nobody waits for others where hardly any are watched`() {
        var gathering = Gathering()
        gathering.ask(recent: Gathering.recentMinimum, watched: Self.watched - 1)
        #expect(!gathering.begin())
    }

    @Test func `a wait is for the turn that asked`() {
        var gathering = Gathering()
        _ = waits(&gathering)
        gathering.end(found: Self.much)
        #expect(!gathering.begin())
    }

    @Test func `waits go on while they bring something`() {
        var gathering = Gathering()
        for _ in 0..<1000 {
            #expect(waits(&gathering))
            gathering.end(found: Self.much)
        }
    }

    @Test func `one wait in vain among many does not end them`() {
        var gathering = Gathering()
        for _ in 0..<20 {
            _ = waits(&gathering)
            gathering.end(found: Self.much)
        }
        _ = waits(&gathering)
        gathering.end(found: 0)
        #expect(waits(&gathering))
    }

    @Test func `after waits in vain so many turns do not wait, and then one tries again`() {
        var gathering = Gathering()
        for _ in 0..<3 {
            #expect(waits(&gathering))
            gathering.end(found: 0)
            for _ in 0..<Gathering.rest { #expect(!waits(&gathering)) }
        }
    }

    @Test func `a try that brings enough ends the rest at once`() {
        var gathering = Gathering()
        _ = waits(&gathering)
        gathering.end(found: 0)
        for _ in 0..<Gathering.rest { _ = waits(&gathering) }
        _ = waits(&gathering)
        gathering.end(found: Self.much)
        #expect(waits(&gathering))
    }

    @Test func `a turn that is passed over leaves nothing asked for`() {
        var gathering = Gathering()
        _ = waits(&gathering)
        gathering.end(found: 0)
        for _ in 0..<Gathering.rest { _ = waits(&gathering) }
        #expect(!gathering.begin())
    }
}
