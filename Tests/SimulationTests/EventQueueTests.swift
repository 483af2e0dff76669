import Testing

@testable import Simulation

struct EventQueueTests {
    @Test func `returns due events in order of time`() {
        var dice = Dice(seed: 3)
        var queue = EventQueue<Moment>()
        let moments = (0..<500).map { _ in Moment(dice.below(100)) }
        for moment in moments { queue.schedule(moment, at: moment) }
        var brought: [Moment] = []
        while let next = queue.popFirst(until: 1000) { brought.append(next) }
        #expect(brought == moments.sorted())
    }

    @Test func `returns events of one moment in scheduling order`() {
        var queue = EventQueue<Int>()
        for number in 0..<100 { queue.schedule(number, at: 5) }
        #expect((0..<100).allSatisfy { queue.popFirst(until: 5) == $0 })
    }

    @Test func `keeps events that are not due`() {
        var queue = EventQueue<Int>()
        queue.schedule(1, at: 10)
        #expect(queue.popFirst(until: 9) == nil)
        #expect(queue.nextMoment == 10)
    }
}
