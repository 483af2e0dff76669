import Testing

@testable import Simulation

struct DiceTests {
    @Test func `gives the same numbers for the same seed`() {
        var (one, other) = (Dice(seed: 7), Dice(seed: 7))
        for _ in 0..<1000 { #expect(one.next() == other.next()) }
    }

    @Test func `gives different numbers for the next seed`() {
        var (one, other) = (Dice(seed: 7), Dice(seed: 8))
        let same = (0..<1000).count { _ in one.below(1000) == other.below(1000) }
        #expect(same < 20)
    }

    @Test func `stays within its bounds and reaches them`() {
        var dice = Dice(seed: 1)
        let numbers = Set((0..<1000).map { _ in dice.within(3...5) })
        #expect(numbers == [3, 4, 5])
        let times = (0..<10_000).map { _ in dice.time(10 * .microsecond...2 * .second) }
        #expect(times.allSatisfy { $0 >= 10 * .microsecond && $0 <= 2 * .second })
        #expect(times.contains { $0 < 20 * .microsecond } && times.contains { $0 > 1 * .second })
    }
}
