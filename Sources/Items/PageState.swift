import Formatting
import Vial

/// A hash over what a page shows, for its weak entity tag. Two states with different ids, times of change or neighbours
/// differ with a probability of nearly 1; it does not resist somebody who looks for two equal ones.
struct PageState {
    // Another constant for another form of the JSON.
    private var hash: UInt64 = 0x5061_6765_0001

    /// Adds an item in the page's order.
    @inline(__always)
    mutating func add(_ id: Int64, _ updatedMicroseconds: Int64) {
        mix(UInt64(bitPattern: id))
        mix(UInt64(bitPattern: updatedMicroseconds))
    }

    private mutating func add(_ cursor: Cursor?) {
        mix(cursor == nil ? 0 : 1)
        guard let cursor else { return }
        mix(UInt64(bitPattern: cursor.id))
        if let createdAt = cursor.createdAt { mix(UInt64(bitPattern: createdAt)) }
    }

    @inline(__always)
    private mutating func mix(_ word: UInt64) {
        hash = (hash ^ word) &* 0x9E37_79B9_7F4A_7C15
        hash ^= hash &>> 32
    }

    /// The tag of a page with these neighbours: 16 hexadecimal digits.
    func tag(next: Cursor?, previous: Cursor?) -> EntityTag {
        var state = self
        state.add(next)
        state.add(previous)
        return EntityTag(isWeak: true, upTo: 16) { output in
            for half in 0..<UInt64(2) {
                var digits = Self.digits(state.hash &>> (32 &- 32 &* half) & 0xFFFF_FFFF)
                for _ in 0..<8 {
                    output.append(UInt8(truncatingIfNeeded: digits))
                    digits &>>= 8
                }
            }
        }
    }

    /// The eight hexadecimal digits of a number of 32 bits, the first one in the lowest byte, all at once.
    static func digits(_ number: UInt64) -> UInt64 {
        var digits = (number | number &<< 16) & 0x0000_FFFF_0000_FFFF
        digits = (digits | digits &<< 8) & 0x00FF_00FF_00FF_00FF
        digits = ((digits | digits &<< 4) & 0x0F0F_0F0F_0F0F_0F0F).byteSwapped
        // 1 in each byte from ten on, where the letters begin.
        let letters = (digits &+ 0x0606_0606_0606_0606) &>> 4 & 0x0101_0101_0101_0101
        return digits &+ 0x3030_3030_3030_3030 &+ letters &* 39
    }
}
