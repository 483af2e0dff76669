import Platform
import Testing

struct InstantTests {
    @Test func `the clock never goes backwards`() {
        let first = Instant.now
        #expect(Instant.now >= first)
    }

    @Test func `a duration moves an instant by its nanoseconds`() {
        let start = Instant(nanoseconds: 1_000)
        #expect(start + .nanoseconds(5) == Instant(nanoseconds: 1_005))
        #expect(start + .seconds(2) == Instant(nanoseconds: 2_000_001_000))
        #expect(start + .milliseconds(3) == start.advanced(byNanoseconds: 3_000_000))
    }

    @Test func `the difference of two instants is a duration, and zero if it would be negative`() {
        let start = Instant(nanoseconds: 1_000)
        let end = start + .milliseconds(7)
        #expect(end - start == .milliseconds(7))
        #expect(end.nanoseconds(since: start) == 7_000_000)
        #expect(start - end == .zero)
        #expect(start.nanoseconds(since: end) == 0)
    }

    @Test func `an instant saturates at the last one and never moves backwards`() {
        let late = Instant(nanoseconds: .max - 1)
        #expect(late + .seconds(1) == .distantFuture)
        #expect(Instant.distantFuture + .seconds(1) == .distantFuture)
        #expect(Instant(nanoseconds: 10) + .seconds(-1) == Instant(nanoseconds: 10))
    }

    private static let durations: [(Duration, UInt64)] = [
        (.zero, 0), (.nanoseconds(1), 1), (.microseconds(1500), 1_500_000), (.seconds(86_400), 86_400_000_000_000),
        (.seconds(-1), 0), (.nanoseconds(-1), 0), (Duration(secondsComponent: 0, attosecondsComponent: 999_999_999), 0),
        (.seconds(Int64.max), .max), (.seconds(18_446_744_073), 18_446_744_073_000_000_000),
        (.seconds(18_446_744_074), .max),
    ]

    @Test(arguments: durations)
    func `a duration is converted to nanoseconds, saturated to 64 bits`(duration: Duration, nanoseconds: UInt64) {
        #expect(duration.nanoseconds == nanoseconds)
    }

    @Test func `milliseconds are rounded down`() {
        #expect(Duration.microseconds(1999).milliseconds == 1)
        #expect(Duration.seconds(3).milliseconds == 3000)
        #expect(Duration.seconds(-3).milliseconds == 0)
    }
}
