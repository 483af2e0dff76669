import Platform
import Testing

@testable import Vial

struct DrainTests {
    @Test func `moves forward, and may skip a phase`() {
        let drain = Drain()
        #expect(drain.phase == .serving && !drain.isDraining)
        drain.enter(.announcing)
        #expect(drain.phase == .announcing && drain.isDraining)
        drain.enter(.announcing)
        drain.enter(.cutting)
        drain.enter(.ended)
        #expect(drain.phase == .ended && drain.isDraining)
    }

    @Test func `keeps the delay until it is skipped`() {
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

    // MARK: The course

    private func course() -> Drain.Course { Drain.Course(delay: .seconds(5), timeout: .seconds(20)) }

    /// The phases of a course and the times at which they begin, polled every 100 ms.
    private func phases(until end: Int = 60_000, skipsDelay: Bool = false, open: (Int) -> Int) -> [String] {
        var course = course()
        var found: [String] = []
        for now in stride(from: 0, through: end, by: 100) {
            while let phase = course.next(at: instant(now), openCount: open(now), skipsDelay: skipsDelay) {
                found.append("\(now) \(phase)")
            }
        }
        return found
    }

    @Test func `announces at once, closes after the delay, and ends with the last connection`() {
        #expect(phases { $0 < 7000 ? 3 : 0 } == ["0 announcing", "5000 closing", "7000 ended"])
    }

    @Test func `closes at once when the delay is skipped`() {
        #expect(phases(skipsDelay: true) { _ in 0 } == ["0 announcing", "0 closing", "0 ended"])
    }

    @Test func `cuts remaining connections after the timeout, and ends at most a second later`() {
        #expect(phases { _ in 1 } == ["0 announcing", "5000 closing", "25000 cutting", "26000 ended"])
        #expect(
            phases { $0 < 25_500 ? 1 : 0 } == ["0 announcing", "5000 closing", "25000 cutting", "25500 ended"])
    }

    @Test func `does nothing after its end`() {
        var course = course()
        for now in [0, 5000, 5000] { _ = course.next(at: instant(now), openCount: 0, skipsDelay: false) }
        #expect(course.phase == .ended)
        #expect(course.next(at: instant(90_000), openCount: 1, skipsDelay: true) == nil)
    }

    @Test func `each phase decides what happens to connections`() {
        let phases: [Drain.Phase] = [.serving, .announcing, .closing, .cutting, .ended]
        #expect(phases.map(\.keepsConnections) == [true, false, false, false, false])
        #expect(phases.map(\.awaitsDelivery) == [false, true, true, true, true])
        #expect(phases.map(\.closesIdleConnections) == [false, false, true, true, true])
        #expect(phases.map(\.cutsConnections) == [false, false, false, true, true])
        #expect(phases.map(\.keepsRunners) == [true, true, true, true, false])
    }

    // MARK: The accept queue

    @Test func `accepts at most the queue's length, batch by batch`() {
        var intake = Drain.Intake(queueLength: 150, until: instant(1000))
        #expect(intake.allowance(batch: 64) == 64)
        #expect(intake.took(64, batch: 64, hasClient: true, isFailing: false, at: instant(0)) == .nextTurn)
        #expect(intake.took(64, batch: 64, hasClient: true, isFailing: false, at: instant(0)) == .nextTurn)
        #expect(intake.allowance(batch: 64) == 22)
        #expect(intake.took(22, batch: 64, hasClient: true, isFailing: false, at: instant(0)) == .stop)
    }

    @Test func `waits for places until the limit, and stops when the queue is empty or fails`() {
        var intake = Drain.Intake(queueLength: 150, until: instant(1000))
        #expect(intake.took(3, batch: 64, hasClient: true, isFailing: false, at: instant(0)) == .pause)
        #expect(intake.took(0, batch: 64, hasClient: true, isFailing: false, at: instant(1000)) == .stop)
        #expect(intake.took(0, batch: 64, hasClient: true, isFailing: true, at: instant(0)) == .stop)
        #expect(intake.took(0, batch: 64, hasClient: false, isFailing: false, at: instant(0)) == .stop)
    }
}
