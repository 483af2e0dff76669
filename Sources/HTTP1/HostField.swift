/// `uri-host [ ":" port ]`, RFC 9110 §7.2: the Host field and the authority of an absolute target.
enum HostField {
    /// Whether the text is a host with an optional port.
    ///
    /// An empty host is refused, because an http URI has one (RFC 9110 §4.2.1). User information, zone identifiers and
    /// IPvFuture are refused too, and so is a comma: a proxy that joins two Host fields produces one.
    static func isValid(_ text: Span<UInt8>) -> Bool {
        guard text.count > 0 else { return false }
        if text[0] == 0x5B {
            guard let end = firstIndex(of: 0x5D, in: text) else { return false }
            return isIPv6(text.extracting(1..<end)) && isPort(text.extracting((end + 1)..<text.count))
        }
        var position = 0
        while position < text.count {
            position = Grammar.end(of: Grammar.registeredName, in: text, from: position, to: text.count)
            guard position < text.count, text[position] == 0x25 else { break }
            guard position + 2 < text.count, let high = Grammar.hexValue(text[position + 1]),
                let low = Grammar.hexValue(text[position + 2]), high | low != 0
            else { return false }
            position += 3
        }
        return position > 0 && isPort(text.extracting(position..<text.count))
    }

    /// Whether two valid texts name the same host, ignoring case, and the same port.
    ///
    /// - Parameter defaultPort: used where a port is absent or empty (RFC 3986 §6.2.3).
    static func isSame(_ left: Span<UInt8>, _ right: Span<UInt8>, defaultPort: Int) -> Bool {
        let leftEnd = endOfHost(left)
        let rightEnd = endOfHost(right)
        return Grammar.equalsIgnoringCase(left.extracting(..<leftEnd), right.extracting(..<rightEnd))
            && (port(left, after: leftEnd) ?? defaultPort) == (port(right, after: rightEnd) ?? defaultPort)
    }

    /// The end of a valid text's host: before the colon of its port, or at the end of the text.
    private static func endOfHost(_ text: Span<UInt8>) -> Int {
        var end = text.count
        while end > 0, Grammar.isDigit(text[end - 1]) { end -= 1 }
        return end > 0 && text[end - 1] == 0x3A ? end - 1 : text.count
    }

    /// The port of a valid text; nil when it is absent or empty.
    private static func port(_ text: Span<UInt8>, after hostEnd: Int) -> Int? {
        guard hostEnd + 1 < text.count else { return nil }
        var port = 0
        for index in hostEnd + 1..<text.count { port = port * 10 + Int(text[index] - 0x30) }
        return port
    }

    /// Empty, or a colon and at most five digits; RFC 3986 §3.2.3 allows no digits.
    private static func isPort(_ text: Span<UInt8>) -> Bool {
        if text.count == 0 { return true }
        guard text[0] == 0x3A, text.count <= 6 else { return false }
        var port = 0
        for index in 1..<text.count {
            guard Grammar.isDigit(text[index]) else { return false }
            port = port * 10 + Int(text[index] - 0x30)
        }
        return port <= 65_535
    }

    private static func firstIndex(of byte: UInt8, in text: Span<UInt8>) -> Int? {
        for index in text.indices where text[index] == byte { return index }
        return nil
    }

    /// IPv6address, RFC 3986 §3.2.2: eight groups, or fewer with one `::`; the last two may be written as IPv4.
    private static func isIPv6(_ text: Span<UInt8>) -> Bool {
        var groups = 0
        var isCompressed = false
        var position = 0
        if text.count >= 2, text[0] == 0x3A, text[1] == 0x3A {
            isCompressed = true
            position = 2
            if position == text.count { return true }
        }
        while true {
            let start = position
            while position < text.count, Grammar.hexValue(text[position]) != nil { position += 1 }
            if position < text.count, text[position] == 0x2E {
                let isComplete = isCompressed ? groups + 2 < 8 : groups + 2 == 8
                return isComplete && isIPv4(text.extracting(start..<text.count))
            }
            guard (1...4).contains(position - start) else { return false }
            groups += 1
            if position == text.count { return isCompressed ? groups < 8 : groups == 8 }
            guard text[position] == 0x3A else { return false }
            position += 1
            if position < text.count, text[position] == 0x3A {
                guard !isCompressed else { return false }
                isCompressed = true
                position += 1
                if position == text.count { return groups < 8 }
            }
        }
    }

    /// Four decimal numbers up to 255 without leading zeros.
    private static func isIPv4(_ text: Span<UInt8>) -> Bool {
        var parts = 1
        var digits = 0
        var value = 0
        for index in text.indices {
            let byte = text[index]
            if byte == 0x2E {
                guard digits > 0 else { return false }
                parts += 1
                digits = 0
                value = 0
                continue
            }
            guard Grammar.isDigit(byte), digits == 0 || value > 0 else { return false }
            digits += 1
            value = value * 10 + Int(byte - 0x30)
            guard value <= 255 else { return false }
        }
        return parts == 4 && digits > 0
    }
}
