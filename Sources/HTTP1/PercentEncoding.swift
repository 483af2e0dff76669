/// Percent-decoding, RFC 3986 §2.1, applied exactly once and to one part at a time: an encoded `/`, `&` or `=` is data.
public enum PercentEncoding {
    /// The decoded text of one path segment. `+` stays `+`; the result may contain `/` or be `.` or `..`.
    ///
    /// Throws `invalidPercentEncoding`, `encodedNull` or `invalidUTF8`.
    public static func decodeSegment(_ raw: Span<UInt8>) throws(ProtocolError) -> String {
        try decode(raw, plusIsSpace: false)
    }

    /// The decoded text of a name or a value in a query, where `+` is a space.
    ///
    /// Throws `invalidPercentEncoding`, `encodedNull` or `invalidUTF8`.
    public static func decodeQueryComponent(_ raw: Span<UInt8>) throws(ProtocolError) -> String {
        try decode(raw, plusIsSpace: true)
    }

    private static func decode(_ raw: Span<UInt8>, plusIsSpace: Bool) throws(ProtocolError) -> String {
        // Most texts need no decoding.
        if standsForItself(raw) {
            do { return String(copying: try UTF8Span(validating: raw)) } catch { throw .invalidUTF8 }
        }
        var decoded: [UInt8] = []
        decoded.reserveCapacity(raw.count)
        var position = 0
        while position < raw.count {
            let byte = raw[position]
            position += 1
            switch byte {
            case 0x25:
                guard position + 2 <= raw.count, let high = Grammar.hexValue(raw[position]),
                    let low = Grammar.hexValue(raw[position + 1])
                else { throw .invalidPercentEncoding }
                guard high | low != 0 else { throw .encodedNull }
                decoded.append(high << 4 | low)
                position += 2
            case 0x2B where plusIsSpace: decoded.append(0x20)
            default: decoded.append(byte)
            }
        }
        guard let text = String(validating: decoded, as: UTF8.self) else { throw .invalidUTF8 }
        return text
    }

    /// Whether neither a percent sign nor a plus sign occurs.
    static func standsForItself(_ raw: Span<UInt8>) -> Bool {
        for index in raw.indices where raw[index] == 0x25 || raw[index] == 0x2B { return false }
        return true
    }
}
