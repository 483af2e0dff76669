import Testing

@testable import Reactor

struct DeadlineTests {
    private static let tick = UInt64(1) << DeadlineWheel.tickShift
    /// An odd number, so that it lies within a tick.
    private static let start: UInt64 = 1_234_567_890_123_457

    /// The start of the tick in which a timer has fired at the latest, in every case.
    private static func bound(of expiry: UInt64) -> UInt64 {
        let ticks = (expiry >> DeadlineWheel.tickShift) + 1
        return (ticks + DeadlineWheel.coarseMask) / (DeadlineWheel.coarseMask + 1) * (DeadlineWheel.coarseMask + 1)
            * tick
    }

    private static func bare() -> Deadline {
        Deadline {}
    }

    @Test func `has no next look while no timer is armed`() {
        var wheel = DeadlineWheel(now: Self.start)
        #expect(wheel.nextLook() == nil)
        #expect(wheel.expired(now: Self.start + 100 * Self.tick).count == 0)
        #expect(wheel.count == 0)
    }

    @Test(arguments: [0, 1, 1000, tick - 1, tick, tick + 1, 10 * tick, 59 * tick])
    func `fires never early and at most one tick late`(delay: UInt64) throws {
        var wheel = DeadlineWheel(now: Self.start)
        let deadline = Self.bare()
        let expiry = Self.start + delay
        wheel.arm(deadline, at: expiry)
        #expect(deadline.expiry == expiry)
        #expect(wheel.count == 1)
        let look = try #require(wheel.nextLook())
        #expect(look > expiry && look <= expiry + Self.tick)
        #expect(wheel.expired(now: look - 1).count == 0)
        #expect(wheel.expired(now: look).map(ObjectIdentifier.init) == [ObjectIdentifier(deadline)])
        #expect(deadline.expiry == nil)
        #expect(wheel.count == 0 && wheel.nextLook() == nil)
    }

    @Test(arguments: [
        60 * tick, 61 * tick + 5, 100 * tick, 511 * tick, 512 * tick, 513 * tick, 10_000 * tick, 1_000_003 * tick,
    ])
    func `fires a long timer never early and at most eight ticks late`(delay: UInt64) throws {
        var wheel = DeadlineWheel(now: Self.start)
        let deadline = Self.bare()
        let expiry = Self.start + delay
        wheel.arm(deadline, at: expiry)
        var due: [Deadline] = []
        var looks: UInt64 = 0
        var now = Self.start
        while due.isEmpty {
            let look = try #require(wheel.nextLook())
            #expect(look > now && look <= expiry + 8 * Self.tick)
            now = look
            looks += 1
            due = wheel.expired(now: now)
        }
        #expect(now >= expiry && now <= expiry + 8 * Self.tick)
        #expect(looks <= delay / (UInt64(DeadlineWheel.slotCount) * Self.tick) + 2, "looked at more than once a turn")
    }

    @Test func `is late only by as much as its caller`() {
        var wheel = DeadlineWheel(now: Self.start)
        let deadlines = (1...2000).map { _ in Self.bare() }
        for (index, deadline) in deadlines.enumerated() {
            wheel.arm(deadline, at: Self.start + UInt64(index) * Self.tick)
        }
        #expect(wheel.expired(now: Self.start + 5000 * Self.tick).count == 2000)
        #expect(wheel.count == 0)
    }

    @Test func `moving a timer later leaves it in its slot until the old time comes`() throws {
        var wheel = DeadlineWheel(now: Self.start)
        let deadline = Self.bare()
        wheel.arm(deadline, at: Self.start + 5 * Self.tick)
        let look = try #require(wheel.nextLook())
        for more in 6..<50 { wheel.arm(deadline, at: Self.start + UInt64(more) * Self.tick) }
        #expect(wheel.nextLook() == look)
        #expect(wheel.count == 1)
        #expect(wheel.expired(now: look).count == 0)
        let second = try #require(wheel.nextLook())
        #expect(second > Self.start + 49 * Self.tick)
        #expect(wheel.expired(now: second).count == 1)
    }

    @Test func `moving a timer earlier fires it at the earlier time`() throws {
        var wheel = DeadlineWheel(now: Self.start)
        let deadline = Self.bare()
        let other = Self.bare()
        for distance in [10_000, 500, 90, 30, 3, 0] as [UInt64] {
            wheel.arm(deadline, at: Self.start + distance * Self.tick)
            wheel.arm(other, at: Self.start + 20_000 * Self.tick)
            #expect(wheel.count == 2)
        }
        let look = try #require(wheel.nextLook())
        #expect(look <= Self.start + Self.tick)
        #expect(wheel.expired(now: look).map(ObjectIdentifier.init) == [ObjectIdentifier(deadline)])
        #expect(other.expiry != nil && wheel.count == 1)
    }

    @Test func `a cancelled timer never fires, and can be armed again`() throws {
        var wheel = DeadlineWheel(now: Self.start)
        let deadlines = (0..<3).map { _ in Self.bare() }
        for deadline in deadlines { wheel.arm(deadline, at: Self.start + Self.tick) }
        wheel.cancel(deadlines[0])
        wheel.cancel(deadlines[0])
        wheel.cancel(Self.bare())
        #expect(deadlines[0].expiry == nil && wheel.count == 2)
        #expect(wheel.expired(now: Self.start + 10 * Self.tick).count == 2)
        wheel.cancel(deadlines[1])
        wheel.arm(deadlines[0], at: Self.start + 11 * Self.tick)
        #expect(
            wheel.expired(now: Self.start + 20 * Self.tick).map(ObjectIdentifier.init) == [
                ObjectIdentifier(deadlines[0])
            ])
    }

    @Test(arguments: [(Self.tick, 1), (11 * Self.tick, 0)])
    func `a due timer fires even if it is armed again, unless for a later time`(delay: UInt64, times: Int) {
        final class Count {
            var fired = 0
        }
        var wheel = DeadlineWheel(now: Self.start)
        let count = Count()
        let deadline = Deadline { count.fired += 1 }
        wheel.arm(deadline, at: Self.start + Self.tick)
        let due = wheel.expired(now: Self.start + 10 * Self.tick)
        wheel.arm(deadline, at: Self.start + delay)
        for deadline in due { DeadlineWheel.fire(deadline) }
        #expect(count.fired == times)
        #expect(wheel.count == 1 - times)
    }

    @Test func `an action may cancel or move timers that are due in the same iteration`() {
        final class Log {
            var fired: [String] = []
        }
        var wheel = DeadlineWheel(now: Self.start)
        let log = Log()
        let names = ["first", "cancelled", "moved", "last"]
        let deadlines = names.map { name in Deadline { log.fired.append(name) } }
        for deadline in deadlines { wheel.arm(deadline, at: Self.start) }
        for deadline in wheel.expired(now: Self.start + 2 * Self.tick) {
            DeadlineWheel.fire(deadline)
            guard deadline === deadlines[0] else { continue }
            wheel.cancel(deadlines[1])
            wheel.arm(deadlines[2], at: Self.start + 5 * Self.tick)
        }
        #expect(log.fired == ["first", "last"])
        for deadline in wheel.expired(now: Self.start + 9 * Self.tick) { DeadlineWheel.fire(deadline) }
        #expect(log.fired == ["first", "last", "moved"])
    }

    @Test(arguments: 1...8)
    func `agrees with a naive model over thousands of random operations`(seed: UInt64) throws {
        var generator = SeededGenerator(state: seed)
        var now = Self.start
        var wheel = DeadlineWheel(now: now)
        let deadlines = (0..<100).map { _ in Self.bare() }
        let indices = Dictionary(uniqueKeysWithValues: deadlines.enumerated().map { (ObjectIdentifier($1), $0) })
        var model: [Int: UInt64] = [:]
        for step in 0..<20_000 {
            let index = Int.random(in: 0..<deadlines.count, using: &generator)
            switch Int.random(in: 0..<10, using: &generator) {
            case 0..<5:
                let reach: UInt64 = [3, 70, 600, 5000][Int.random(in: 0..<4, using: &generator)]
                let expiry = now + UInt64.random(in: 0...(reach * Self.tick), using: &generator)
                wheel.arm(deadlines[index], at: expiry)
                model[index] = expiry
            case 5:
                wheel.cancel(deadlines[index])
                model[index] = nil
            case 6:
                // As a loop does: sleeps until the next look.
                now = max(now, wheel.nextLook() ?? now)
            default:
                let reach: UInt64 = [0, 1, 20, 700][Int.random(in: 0..<4, using: &generator)]
                now += UInt64.random(in: 0...(reach * Self.tick), using: &generator)
            }
            for deadline in wheel.expired(now: now) {
                let fired = try #require(indices[ObjectIdentifier(deadline)])
                let expiry = try #require(model[fired], "fired without being armed, step \(step)")
                model[fired] = nil
                try #require(expiry <= now, "fired early, step \(step)")
            }
            try #require(wheel.count == model.count)
            let bound = model.values.map(Self.bound).min()
            try #require(bound ?? .max > now, "overdue, step \(step)")
            try #require(wheel.nextLook() ?? .max <= bound ?? .max, "would look too late, step \(step)")
            try #require((wheel.nextLook() == nil) == model.isEmpty)
        }
    }
}
