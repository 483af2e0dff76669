import Glibc
import Platform
import Reactor
import Testing

struct WallClockTests {
    @Test func `agrees with the system's clock`() {
        var clock = WallClock()
        var before = timespec()
        var after = timespec()
        // Both outlive the calls.
        _ = unsafe clock_gettime(CLOCK_REALTIME, &before)
        let utc = clock.utc(Instant.now)
        _ = unsafe clock_gettime(CLOCK_REALTIME, &after)
        #expect(utc + milliseconds >= UInt64(before.tv_sec) * 1_000_000_000 + UInt64(before.tv_nsec))
        #expect(utc <= UInt64(after.tv_sec) * 1_000_000_000 + UInt64(after.tv_nsec) + milliseconds)
    }

    @Test func `times of one reading keep their distance`() {
        var clock = WallClock()
        let moment = Instant.now
        let utc = clock.utc(moment)
        for distance in [1, 1000, 999_000_000] as [UInt64] {
            #expect(clock.utc(moment.advanced(byNanoseconds: distance)) == utc + distance)
        }
    }
}
