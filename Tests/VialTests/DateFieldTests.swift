import Reactor
import Testing

@testable import Vial

struct DateFieldTests {
    @Test func `is an IMF-fixdate that moves on with the seconds`() throws {
        var field = DateField()
        let now = EventLoop.monotonicNanoseconds()
        let date = field.bytes(at: now)
        let form = /[A-Z][a-z]{2}, \d\d [A-Z][a-z]{2} \d{4} \d\d:\d\d:\d\d GMT/
        #expect(try form.wholeMatch(in: String(decoding: date, as: UTF8.self)) != nil)
        #expect(field.bytes(at: now) == date)
        #expect(field.bytes(at: now + 1_000_000_000) != date)
        #expect(field.bytes(at: now + 86_400_000_000_000).count == 29)
    }
}
