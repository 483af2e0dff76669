/// Numbers in hexadecimal digits.
public enum Hexadecimal {
    /// The eight digits of the lower 32 bits in lower case, all at once; the first digit is in the highest byte.
    @inlinable
    @inline(__always)
    public static func digits(_ number: UInt64) -> UInt64 {
        let bytes = number & 0xFFFF_FFFF
        let spread = (bytes | bytes &<< 16) & 0x0000_FFFF_0000_FFFF
        let pairs = (spread | spread &<< 8) & 0x00FF_00FF_00FF_00FF
        let nibbles = (pairs | pairs &<< 4) & 0x0F0F_0F0F_0F0F_0F0F
        // 1 in each byte whose digit is a letter; "a" is 39 characters behind the character after "9".
        let letters = (nibbles &+ 0x0606_0606_0606_0606) &>> 4 & 0x0101_0101_0101_0101
        return nibbles &+ 0x3030_3030_3030_3030 &+ letters &* 39
    }
}
