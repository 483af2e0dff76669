import Testing

@testable import Chassis

struct HeapTrimTests {
    private static let mebibyte = 1_048_576
    private static let limit = 48 * mebibyte

    /// For a process that starts with 3 MiB.
    private var trim = HeapTrim(byteCount: 3 * mebibyte)

    private mutating func isDue(_ mebibytes: Int, used: Int = 0) -> Bool {
        trim.isDue(byteCount: mebibytes * Self.mebibyte, used: used * Self.mebibyte, of: Self.limit)
    }

    private mutating func done(_ mebibytes: Int, used: Int = 0) {
        trim.trimmed(byteCount: mebibytes * Self.mebibyte, used: used * Self.mebibyte)
    }

    @Test mutating func `a process that has grown returns free memory`() {
        #expect(!isDue(7))
        #expect(isDue(8))
    }

    @Test mutating func `growth counts from the lowest size since`() {
        #expect(!isDue(1))
        #expect(isDue(6))
    }

    @Test mutating func `growth counts from the size after the last trim`() {
        done(20)
        #expect(!isDue(24))
        #expect(isDue(25))
    }

    @Test mutating func `nothing is returned during a burst`() {
        #expect(!isDue(40, used: 24))
        #expect(isDue(40, used: 23))
    }

    @Test mutating func `memory in use during a trim is returned once it is free`() {
        done(20, used: 16)
        #expect(!isDue(20, used: 16))
        #expect(isDue(20, used: 15))
        done(20, used: 15)
        #expect(isDue(20))
        done(4)
        #expect(!isDue(4))
    }
}
