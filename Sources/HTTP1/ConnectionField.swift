/// The options of one head's Connection fields, RFC 9110 §7.6.1.
struct ConnectionField: Sendable {
    private var hasClose = false
    private var hasKeepAlive = false

    /// Processes one Connection field: tokens between commas, in any case; empty elements and unknown tokens are
    /// ignored.
    mutating func take(_ value: Span<UInt8>) throws(ProtocolError) {
        var position = 0
        while position < value.count {
            var end = position
            while end < value.count, value[end] != 0x2C { end += 1 }
            let element = Grammar.trim(position..<end, in: value)
            position = end + 1
            if element.isEmpty { continue }
            guard Grammar.isToken(value.extracting(element)) else { throw .invalidConnection }
            switch element.count {
            case 5: if value.token(at: element.lowerBound, is: "close") { hasClose = true }
            case 10: if value.token(at: element.lowerBound, is: "keep-alive") { hasKeepAlive = true }
            default: break
            }
        }
    }

    func keepAlive(isHTTP11: Bool) -> Bool { !hasClose && (isHTTP11 || hasKeepAlive) }
}
