import Formatting

/// A position in a list, and the direction in which to go on. Its text is opaque to clients and may change.
///
/// The text is base64url without padding of: version and direction (1 byte), `id` (8 bytes), in lists by time
/// `createdAt` (8 bytes), and 4 bytes of a hash over these and the list. It is no secret and no authorisation; the hash
/// detects a changed text, and the cursor of another list.
struct Cursor: Equatable, Sendable {
    /// Towards the end of the list, or towards its start. The items follow `id`, which is not among them.
    let isBackward: Bool
    let id: Int64
    /// In PostgreSQL's count, microseconds since 2000-01-01T00:00:00Z with its infinities; nil in lists by id.
    var createdAt: Int64?
}

extension Cursor {
    /// Base64url, at most 28 bytes; in place, so that a page needs no allocation for its cursors.
    struct Text {
        private var bytes = InlineArray<28, UInt8>(repeating: 0)
        private(set) var count = 0

        /// Appends the lowest digits of a number, the highest of them first.
        fileprivate mutating func append(_ number: UInt64, digitCount: UInt64) {
            var shift = 6 &* digitCount
            while shift > 0 {
                shift &-= 6
                bytes[count] = Self.digit(UInt8(truncatingIfNeeded: number &>> shift) & 0x3F)
                count &+= 1
            }
        }

        var span: Span<UInt8> {
            @_lifetime(borrow self)
            get { bytes.span.extracting(0..<count) }
        }

        /// Without branches: a letter, a digit, a hyphen or an underscore.
        private static func digit(_ sextet: UInt8) -> UInt8 {
            0x41 &+ sextet &+ (sextet > 25 ? 6 : 0) &- (sextet > 51 ? 75 : 0) &- (sextet > 61 ? 13 : 0)
                &+ (sextet > 62 ? 49 : 0)
        }
    }

    /// The upper half of the first byte. Its texts begin with a letter from E to H, those of former versions with a or d.
    private static let version: UInt8 = 0x10

    private var head: UInt8 { Self.version | (createdAt == nil ? 0 : 2) | (isBackward ? 1 : 0) }

    private func checksum(of list: ItemList) -> UInt32 {
        var hash = SipHash(key: 0x6974_656d_735f_6c69, 0x7374_5f63_7572_736f)
        hash.append(UInt64(head) | (list.order == .ascending ? 0 : 0x100))
        hash.append(UInt64(bitPattern: id))
        if let createdAt { hash.append(UInt64(bitPattern: createdAt)) }
        list.filter?.append(to: &hash)
        return UInt32(truncatingIfNeeded: hash.value())
    }

    /// The cursor's text in the list that it belongs to.
    func text(in list: ItemList) -> Text {
        let (head, id) = (UInt64(head), UInt64(bitPattern: id))
        let checksum = UInt64(checksum(of: list))
        var text = Text()
        if let createdAt {
            // 21 bytes are 28 digits.
            let time = UInt64(bitPattern: createdAt)
            text.append(head << 52 | id >> 12, digitCount: 10)
            text.append((id & 0xFFF) << 48 | time >> 16, digitCount: 10)
            text.append((time & 0xFFFF) << 32 | checksum, digitCount: 8)
        } else {
            // 13 bytes and 4 bits of 0 are 18 digits.
            text.append(head << 46 | id >> 18, digitCount: 9)
            text.append((id & 0x3FFFF) << 36 | checksum << 4, digitCount: 9)
        }
        return text
    }

    /// The position that a text names; nil if it is no cursor of this list.
    init?(_ text: String, in list: ItemList) {
        if let former = Self(former: text, in: list) {
            self = former
            return
        }
        guard text.utf8.count == (list.isByTime ? 28 : 18) else { return nil }
        var bytes: [UInt8] = []
        var (bits, bitCount) = (UInt32(0), 0)
        for byte in text.utf8 {
            guard let sextet = Self.sextet(byte) else { return nil }
            bits = bits << 6 | sextet
            bitCount += 6
            guard bitCount >= 8 else { continue }
            bitCount -= 8
            bytes.append(UInt8(truncatingIfNeeded: bits >> UInt32(bitCount)))
        }
        let number = { (range: Range<Int>) in bytes[range].reduce(0) { $0 << 8 | UInt64($1) } }
        isBackward = bytes[0] & 1 == 1
        id = Int64(bitPattern: number(1..<9))
        createdAt = list.isByTime ? Int64(bitPattern: number(9..<17)) : nil
        // Also refuses another version, and other bits behind the last byte.
        guard bytes[0] == head, bits & (1 << UInt32(bitCount) - 1) == 0,
            number(bytes.count - 4..<bytes.count) == UInt64(checksum(of: list))
        else { return nil }
    }

    private static func sextet(_ digit: UInt8) -> UInt32? {
        switch digit {
        case 0x41...0x5A: UInt32(digit) - 0x41
        case 0x61...0x7A: UInt32(digit) - 0x61 + 26
        case 0x30...0x39: UInt32(digit) - 0x30 + 52
        case UInt8(ascii: "-"): 62
        case UInt8(ascii: "_"): 63
        default: nil
        }
    }

    /// The cursors of version 0.1.0 before there were filters, `a42` and `d42`: a client may have got one from an
    /// instance of that version during a rolling deployment.
    private init?(former text: String, in list: ItemList) {
        guard list.filter == nil, text.utf8.first == UInt8(ascii: list.order == .ascending ? "a" : "d") else {
            return nil
        }
        let number = text.dropFirst()
        // Only in the spelling that they were handed out in.
        guard let id = Int64(number), number == String(id) else { return nil }
        self.init(isBackward: false, id: id)
    }
}
