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
            output.append(bigEndian: Hexadecimal.digits(state.hash &>> 32))
            output.append(bigEndian: Hexadecimal.digits(state.hash))
        }
    }
}
