import Formatting
import HTTP1

/// Chooses the identifier of each request of one loop: the client's when it is sane, else the root of the load
/// balancer's trace when the peer is trusted, else a new one.
struct RequestID {
    /// Longer ones are not echoed: log lines repeat them.
    static let byteLimit = 128
    // Identifiers need to be distinct, not secret, so a fast generator (splitmix64) seeded by the system does.
    private var state = UInt64.random(in: .min ... .max)
    /// Rendered once, since half an identifier's digits are enough to tell the requests of one loop apart.
    private let prefix: [UInt8]

    init() {
        var prefix: [UInt8] = []
        Self.append(UInt64.random(in: .min ... .max), to: &prefix)
        self.prefix = prefix
    }

    /// Writes the identifier of a request whose head is complete.
    mutating func choose(for head: RequestHead, isPeerTrusted: Bool, into bytes: inout [UInt8]) {
        bytes.removeAll(keepingCapacity: true)
        if let range = head.firstRange(of: .xRequestID), Self.isSane(head.bytes.span.extracting(range)) {
            bytes.append(span: head.bytes.span.extracting(range))
        } else if isPeerTrusted, let range = head.firstRange(of: .xAmznTraceID), let root = Self.root(head.bytes, range)
        {
            bytes.append(span: head.bytes.span.extracting(root))
        } else {
            make(into: &bytes)
        }
    }

    /// Appends a new identifier: 32 hexadecimal digits, the first half this loop's own.
    mutating func make(into bytes: inout [UInt8]) {
        state &+= 0x9E37_79B9_7F4A_7C15
        var word = state
        word = (word ^ (word >> 30)) &* 0xBF58_476D_1CE4_E5B9
        word = (word ^ (word >> 27)) &* 0x94D0_49BB_1331_11EB
        bytes.append(contentsOf: prefix)
        Self.append(word ^ (word >> 31), to: &bytes)
    }

    private static func append(_ word: UInt64, to bytes: inout [UInt8]) {
        var digits = InlineArray<16, UInt8>(repeating: 0)
        var rest = word
        for index in digits.indices {
            let digit = UInt8(truncatingIfNeeded: rest) & 0x0F
            digits[index] = digit < 10 ? 0x30 &+ digit : 0x57 &+ digit
            rest >>= 4
        }
        bytes.append(span: digits.span)
    }

    /// The `Root` of a trace field, `Root=1-67891233-abcdef012345678912345678;Self=…`; nil when there is none.
    static func root(_ bytes: [UInt8], _ range: Range<Int>) -> Range<Int>? {
        for part in bytes[range].split(separator: UInt8(ascii: ";")) where part.starts(with: "Root=".utf8) {
            let root = (part.startIndex + 5)..<part.endIndex
            return isSane(bytes.span.extracting(root)) ? root : nil
        }
        return nil
    }

    /// Letters, digits and a few marks: nothing that needs quoting in a log, a query or a shell.
    static func isSane(_ identifier: Span<UInt8>) -> Bool {
        guard identifier.count >= 1 && identifier.count <= byteLimit else { return false }
        for index in identifier.indices {
            switch identifier[index] {
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"): continue
            case UInt8(ascii: "0")...UInt8(ascii: "9"): continue
            case UInt8(ascii: "-"), UInt8(ascii: "_"), UInt8(ascii: "."), UInt8(ascii: ":"), UInt8(ascii: "="),
                UInt8(ascii: "/"), UInt8(ascii: "+"):
                continue
            default: return false
            }
        }
        return true
    }
}
