import Testing

@testable import Reactor

struct GatheringTests {
    /// Enough descriptors for a wait among `recentMinimum`.
    private static let watched = Gathering.recentMinimum + Gathering.othersMinimum
    private static let much = Int(Gathering.worth) + 1

    /// The turns of a loop.
    private final class Turns {
        private var gathering = Gathering()

        /// A turn that asks for a wait, and whether it is granted.
        func waits(recent: Int = Gathering.recentMinimum, watched: Int = GatheringTests.watched) -> Bool {
            gathering.ask(recent: recent, watched: watched)
            return gathering.begin()
        }

        /// A turn that asks for nothing, and whether it waits.
        func waitsUnasked() -> Bool { gathering.begin() }

        func end(found: Int) { gathering.end(found: found) }

        /// A wait in vain, and the turns that do not wait after it.
        func rest() {
            _ = waits()
            end(found: 0)
            for _ in 0..<Gathering.rest { _ = waits() }
        }
    }

    @Test func `a turn that asks for nothing does not wait`() {
        #expect(!Turns().waitsUnasked())
    }

    @Test func `a turn waits when some came together and others could come`() {
        #expect(Turns().waits())
    }

    @Test func `one that comes alone is not kept waiting`() {
        #expect(!Turns().waits(recent: Gathering.recentMinimum - 1, watched: 1000))
    }

    @Test func `nobody waits for others where hardly any are watched`() {
        #expect(!Turns().waits(watched: Self.watched - 1))
    }

    @Test func `a wait is for the turn that asked`() {
        let turns = Turns()
        _ = turns.waits()
        turns.end(found: Self.much)
        #expect(!turns.waitsUnasked())
    }

    @Test func `waits go on while they bring something`() {
        let turns = Turns()
        for _ in 0..<1000 {
            #expect(turns.waits())
            turns.end(found: Self.much)
        }
    }

    @Test func `one wait in vain among many does not end them`() {
        let turns = Turns()
        for _ in 0..<20 {
            _ = turns.waits()
            turns.end(found: Self.much)
        }
        _ = turns.waits()
        turns.end(found: 0)
        #expect(turns.waits())
    }

    @Test func `after a wait in vain so many turns do not wait, and then one tries again`() {
        let turns = Turns()
        for _ in 0..<3 {
            #expect(turns.waits())
            turns.end(found: 0)
            for _ in 0..<Gathering.rest { #expect(!turns.waits()) }
        }
    }

    @Test func `a try that brings enough ends the rest at once`() {
        let turns = Turns()
        turns.rest()
        _ = turns.waits()
        turns.end(found: Self.much)
        #expect(turns.waits())
    }

    @Test func `a turn that is passed over leaves nothing asked for`() {
        let turns = Turns()
        turns.rest()
        #expect(!turns.waitsUnasked())
    }
}
