import Postgres
import Testing

struct PoolEventTests {
    @Test func `loads add up`() {
        var first = PoolLoad()
        first.idle = 1
        first.inUse = 2
        first.waiting = 3
        var second = PoolLoad()
        second.idle = 10
        second.inUse = 20
        second.waiting = 30
        let sum = first + second
        #expect(sum.idle == 11 && sum.inUse == 22 && sum.waiting == 33 && sum.open == 33)
        #expect(PoolLoad() + first == first)
    }
}
