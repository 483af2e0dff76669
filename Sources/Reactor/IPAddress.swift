import Formatting

/// An IPv4 or IPv6 address. An IPv4 address is stored as `::ffff:a.b.c.d` (RFC 4291 §2.5.5.2), so that a client has the
/// same address on a dual-stack and on an IPv4 socket.
public struct IPAddress: Hashable, Sendable {
    /// The first eight bytes, in big-endian order.
    public let high: UInt64
    /// The last eight bytes, in big-endian order.
    public let low: UInt64

    /// An address from two halves, each in big-endian order.
    public init(high: UInt64, low: UInt64) {
        self.high = high
        self.low = low
    }

    /// An address from 16 bytes in network order, IPv4 as `::ffff:a.b.c.d`.
    public init(bytes: InlineArray<16, UInt8>) {
        var high: UInt64 = 0
        var low: UInt64 = 0
        for index in 0..<8 {
            high = high << 8 | UInt64(bytes[index])
            low = low << 8 | UInt64(bytes[index + 8])
        }
        self.init(high: high, low: low)
    }

    /// An IPv4 address; the most significant byte is the first.
    public init(v4 address: UInt32) {
        self.init(high: 0, low: Self.v4Mark | UInt64(address))
    }

    /// Parses four decimal numbers without leading zeros, or any of the three forms of RFC 4291 §2.2. Nil for anything
    /// else, including a zone (`%eth0`), brackets, a port or spaces.
    public init?(_ text: Span<UInt8>) {
        guard text.count <= Self.textByteLimit else { return nil }
        if let v4 = Self.v4(text) {
            self.init(v4: v4)
        } else if let v6 = Self.v6(text) {
            self = v6
        } else {
            return nil
        }
    }

    /// As above, for a string.
    public init?(_ text: String) {
        let utf8 = Array(text.utf8)
        self.init(utf8.span)
    }

    /// Whether it is an IPv4 address.
    public var isV4: Bool { high == 0 && low >> 32 == 0xFFFF }

    /// Whether it is `0.0.0.0` or `::`, the wildcard addresses.
    public var isUnspecified: Bool { high == 0 && (low == 0 || low == Self.v4Mark) }

    /// The longest form: six groups of four digits and an IPv4 address, "ffff:…:ffff:255.255.255.255".
    public static let textByteLimit = 45
    private static let v4Mark: UInt64 = 0xFFFF_0000_0000

    private static func v4(_ text: Span<UInt8>) -> UInt32? {
        var address: UInt32 = 0
        var part: UInt32 = 0
        var digits = 0
        var dots = 0
        for index in text.indices {
            switch text[index] {
            case let byte where 0x30...0x39 ~= byte:
                // Some parsers read a leading zero as octal, others as decimal.
                if digits > 0 && part == 0 { return nil }
                part = part * 10 + UInt32(byte - 0x30)
                digits += 1
                if part > 255 { return nil }
            case 0x2E:
                if digits == 0 || dots == 3 { return nil }
                address = address << 8 | part
                part = 0
                digits = 0
                dots += 1
            default:
                return nil
            }
        }
        return dots == 3 && digits > 0 ? address << 8 | part : nil
    }

    private static func v6(_ text: Span<UInt8>) -> IPAddress? {
        var groups = InlineArray<8, UInt16>(repeating: 0)
        var count = 0
        var gap: Int?
        var index = 0
        if text.count >= 2 && text[0] == 0x3A {
            // A leading colon must be the first of two.
            guard text[1] == 0x3A else { return nil }
            gap = 0
            index = 2
        }
        while index < text.count {
            guard count < 8 else { return nil }
            var end = index
            while end < text.count && text[end] != 0x3A { end += 1 }
            let part = text.extracting(index..<end)
            if end == text.count && count <= 6, let tail = v4(part) {
                groups[count] = UInt16(tail >> 16)
                groups[count + 1] = UInt16(truncatingIfNeeded: tail)
                count += 2
                break
            }
            guard let group = hexadecimal(part) else { return nil }
            groups[count] = group
            count += 1
            index = end
            guard index < text.count else { break }
            index += 1
            if index < text.count && text[index] == 0x3A {
                guard gap == nil else { return nil }
                gap = count
                index += 1
            } else if index == text.count {
                return nil  // A single colon at the end.
            }
        }
        // "::" replaces at least one group of zeros.
        guard gap == nil ? count == 8 : count < 8 else { return nil }
        let missing = 8 - count
        var high: UInt64 = 0
        var low: UInt64 = 0
        for place in 0..<8 {
            var group: UInt16 = 0
            if let gap, place >= gap {
                group = place < gap + missing ? 0 : groups[place - missing]
            } else {
                group = groups[place]
            }
            if place < 4 { high = high << 16 | UInt64(group) } else { low = low << 16 | UInt64(group) }
        }
        return IPAddress(high: high, low: low)
    }

    private static func hexadecimal(_ text: Span<UInt8>) -> UInt16? {
        guard (1...4).contains(text.count) else { return nil }
        var value: UInt16 = 0
        for index in text.indices {
            let byte = text[index]
            let digit: UInt8
            switch byte {
            case 0x30...0x39: digit = byte - 0x30
            case 0x41...0x46: digit = byte - 0x41 + 10
            case 0x61...0x66: digit = byte - 0x61 + 10
            default: return nil
            }
            value = value << 4 | UInt16(digit)
        }
        return value
    }
}

extension IPAddress: CustomStringConvertible {
    /// `a.b.c.d`, or the text form of RFC 5952.
    public var description: String {
        var bytes: [UInt8] = []
        bytes.append(addingCapacity: Self.textByteLimit) { $0.append(address: self) }
        return String(decoding: bytes, as: UTF8.self)
    }
}

extension OutputSpan<UInt8> {
    /// Appends an address, at most `IPAddress.textByteLimit` bytes: `a.b.c.d`, or the form of RFC 5952, in lower case
    /// and with the longest run of zero groups as `::`.
    public mutating func append(address: IPAddress) {
        if address.isV4 {
            append(octet: UInt8(truncatingIfNeeded: address.low >> 24))
            append(0x2E)
            append(octet: UInt8(truncatingIfNeeded: address.low >> 16))
            append(0x2E)
            append(octet: UInt8(truncatingIfNeeded: address.low >> 8))
            append(0x2E)
            append(octet: UInt8(truncatingIfNeeded: address.low))
            return
        }
        var groups = InlineArray<8, UInt16>(repeating: 0)
        for place in 0..<4 {
            groups[place] = UInt16(truncatingIfNeeded: address.high >> UInt64(48 - 16 * place))
            groups[place + 4] = UInt16(truncatingIfNeeded: address.low >> UInt64(48 - 16 * place))
        }
        // A single zero group is written out (RFC 5952 §4.2.2); of runs with equal length the first is shortened
        // (§4.2.3).
        var longest = 0..<1
        var place = 0
        while place < 8 {
            var end = place
            while end < 8 && groups[end] == 0 { end += 1 }
            if end - place > longest.count { longest = place..<end }
            place = Swift.max(end, place + 1)
        }
        let shortened = longest.count > 1 ? longest : 8..<8
        place = 0
        while place < 8 {
            if place == shortened.lowerBound {
                append(literal: "::")
                place = shortened.upperBound
                continue
            }
            if place > 0 && place != shortened.upperBound { append(0x3A) }
            append(hexadecimal: groups[place])
            place += 1
        }
    }

    // Inlined, because each log line of a request contains four of them.
    @inline(__always)
    private mutating func append(octet: UInt8) {
        if octet >= 100 { append(0x30 + octet / 100) }
        if octet >= 10 { append(0x30 + octet / 10 % 10) }
        append(0x30 + octet % 10)
    }

    private mutating func append(hexadecimal value: UInt16) {
        var started = false
        for shift in stride(from: UInt16(12), through: 0, by: -4) {
            let digit = UInt8(truncatingIfNeeded: value >> shift) & 0xF
            if digit == 0 && !started && shift > 0 { continue }
            started = true
            append(digit < 10 ? 0x30 + digit : 0x61 + digit - 10)
        }
    }
}
