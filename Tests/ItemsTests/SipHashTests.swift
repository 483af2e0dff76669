import Testing

@testable import Items

struct SipHashTests {
    /// The key of the reference implementation's test vectors: the bytes 0 to 15.
    private func hash(_ words: UInt64...) -> UInt64 {
        var hash = SipHash(key: 0x0706_0504_0302_0100, 0x0f0e_0d0c_0b0a_0908)
        for word in words { hash.append(word) }
        return hash.value()
    }

    @Test func `equals the reference implementation's vectors`() {
        #expect(hash() == 0x726f_db47_dd0e_0e31)
        #expect(hash(0x0706_0504_0302_0100) == 0x93f5_f579_9a93_2462)
        #expect(hash(0x0706_0504_0302_0100, 0x0f0e_0d0c_0b0a_0908) == 0x3f2a_cc7f_57c2_9bdb)
    }

    @Test func `distinguishes texts that differ in their length only`() {
        let values = ["", "\0", "\0\0", "1234567", "12345678", "12345678\0"].map { text in
            var hash = SipHash(key: 1, 2)
            hash.append(counted: text.utf8)
            return hash.value()
        }
        #expect(Set(values).count == values.count)
    }
}
