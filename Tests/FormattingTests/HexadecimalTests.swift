import Testing

@testable import Formatting

struct HexadecimalTests {
    @Test(arguments: [
        (UInt64(0), "00000000"), (0x0123_4567, "01234567"), (0x89ab_cdef, "89abcdef"), (0xFFFF_FFFF, "ffffffff"),
        (0x1_0000_000f, "0000000f"),
    ])
    func `the lower 32 bits are written in eight digits`(number: UInt64, text: String) {
        var bytes: [UInt8] = []
        bytes.append(addingCapacity: 8) { $0.append(bigEndian: Hexadecimal.digits(number)) }
        #expect(bytes == Array(text.utf8))
    }
}
