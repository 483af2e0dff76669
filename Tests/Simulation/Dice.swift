/// A seeded random number generator: the same seed gives the same numbers on every machine (SplitMix64, Steele et al. 2014).
struct Dice {
    private var state: UInt64

    init(seed: UInt64) {
        state = seed
        // Consecutive seeds differ in few bits; their first numbers must not be correlated.
        _ = next()
    }

    @inline(__always)
    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var mixed = state
        mixed = (mixed ^ (mixed >> 30)) &* 0xBF58_476D_1CE4_E5B9
        mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
        return mixed ^ (mixed >> 31)
    }

    /// Uniform over 0 ..< bound, up to a bias of 2^-32.
    @inline(__always)
    mutating func below(_ bound: Int) -> Int {
        Int(((next() >> 32) &* UInt64(bound)) >> 32)
    }

    mutating func within(_ range: ClosedRange<Int>) -> Int {
        range.lowerBound + below(range.count)
    }

    @inline(__always)
    mutating func percent(_ chance: Int) -> Bool {
        below(100) < chance
    }

    /// Uniform over the orders of magnitude of the range: short times are as likely as long ones.
    mutating func time(_ range: ClosedRange<Moment>) -> Moment {
        let octaves = 64 - (range.upperBound / max(1, range.lowerBound)).leadingZeroBitCount
        let scaled = range.lowerBound << UInt64(below(octaves))
        return min(range.upperBound, scaled + UInt64(below(1024)) * (scaled >> 10))
    }

    /// Uniform over 0 ... 1.
    mutating func fraction() -> Double {
        Double(next() >> 11) / Double(1 << 53)
    }
}
