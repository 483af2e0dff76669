import Reactor

/// The networks of trusted proxies: the value of `TRUSTED_PROXIES`.
struct TrustedProxies: Equatable, Sendable {
    private let networks: [Network]

    /// Networks as `address/length`, or single addresses. An IPv4 network also contains the IPv4 clients of a
    /// dual-stack socket, and `::/0` contains every address of both families.
    ///
    /// - Throws: `Malformed` for the first invalid one.
    init(_ texts: [String]) throws(Malformed) {
        var networks: [Network] = []
        for text in texts {
            guard let network = Network(text) else { throw Malformed(text: text) }
            networks.append(network)
        }
        self.networks = networks
    }

    /// A text that is not a network.
    struct Malformed: Error, Equatable {
        let text: String
    }

    /// Whether one of the networks contains the address.
    func contains(_ address: IPAddress) -> Bool {
        for network in networks where network.contains(address) { return true }
        return false
    }

    /// The client's address: the peer, unless it is trusted; then the right-most element of `X-Forwarded-For` that is
    /// not trusted, or the left-most when all are.
    ///
    /// An element may have a port (`192.0.2.1:80`, `[2001:db8::1]:80`). An element that is not an address ends the
    /// search, because elements to its left come from unknown senders.
    ///
    /// - Parameters:
    ///   - peer: the other end of the connection.
    ///   - forwardedFor: the field's value, empty without the field; several lines are joined by a comma (RFC 9110 §5.3).
    func clientAddress(peer: IPAddress, forwardedFor: Span<UInt8>) -> IPAddress {
        guard !forwardedFor.isEmpty else { return peer }
        var client = peer
        var end = forwardedFor.count
        while end >= 0 && contains(client) {
            var start = end
            while start > 0 && forwardedFor[start - 1] != 0x2C { start -= 1 }
            let element = trimmed(start..<end, of: forwardedFor)
            // A list may have empty elements (RFC 9110 §5.6.1.2).
            if !element.isEmpty {
                let address = withoutPort(element, of: forwardedFor)
                guard let address = IPAddress(forwardedFor.extracting(address)) else { return client }
                client = address
            }
            end = start - 1
        }
        return client
    }
}

/// An address and the number of its significant leading bits.
private struct Network: Equatable, Sendable {
    let address: IPAddress
    let highMask: UInt64
    let lowMask: UInt64

    /// Also nil when a bit is set beyond the length: `10.1.2.3/8` is more likely a mistake than a network.
    init?(_ text: String) {
        let parts = text.split(separator: "/", maxSplits: 1, omittingEmptySubsequences: false)
        guard let address = IPAddress(String(parts[0])) else { return nil }
        // Decided by the text, not by the value: ::ffff:0:0/96 is the IPv4 range written as IPv6.
        let bits = parts[0].contains(":") ? 128 : 32
        var length = bits
        if parts.count == 2 {
            guard let given = plainDecimal(parts[1]), given <= bits else { return nil }
            length = given
        }
        length += 128 - bits
        highMask = Self.mask(leading: min(length, 64))
        lowMask = Self.mask(leading: max(length - 64, 0))
        self.address = address
        guard address.high & ~highMask == 0 && address.low & ~lowMask == 0 else { return nil }
    }

    func contains(_ other: IPAddress) -> Bool {
        other.high & highMask == address.high && other.low & lowMask == address.low
    }

    private static func mask(leading bits: Int) -> UInt64 {
        // Swift's shift beyond the width gives zero, so a length of 0 needs no special case.
        ~(UInt64.max >> UInt64(bits))
    }
}

/// The part without spaces and tabs at its ends (RFC 9110 §5.6.3).
private func trimmed(_ part: Range<Int>, of text: Span<UInt8>) -> Range<Int> {
    var (start, end) = (part.lowerBound, part.upperBound)
    while start < end && (text[start] == 0x20 || text[start] == 0x09) { start += 1 }
    while end > start && (text[end - 1] == 0x20 || text[end - 1] == 0x09) { end -= 1 }
    return start..<end
}

/// The address in `address:port`, `[address]:port` or `[address]`; any other text unchanged, valid or not.
///
/// - Parameter part: not empty.
private func withoutPort(_ part: Range<Int>, of text: Span<UInt8>) -> Range<Int> {
    let (start, end) = (part.lowerBound, part.upperBound)
    let isBracketed = text[start] == 0x5B
    if isBracketed && text[end - 1] == 0x5D { return start + 1..<end - 1 }
    guard let colon = part.last(where: { text[$0] == 0x3A }), isPort(colon + 1..<end, of: text) else { return part }
    if isBracketed { return text[colon - 1] == 0x5D ? start + 1..<colon - 1 : part }
    // A second colon makes it an IPv6 address, whose last group is not a port.
    return part.first(where: { text[$0] == 0x3A }) == colon ? start..<colon : part
}

private func isPort(_ part: Range<Int>, of text: Span<UInt8>) -> Bool {
    (1...5).contains(part.count) && part.allSatisfy { 0x30...0x39 ~= text[$0] }
}
