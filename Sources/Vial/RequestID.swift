import Formatting
import HTTP1

/// Chooses the identifier of each request on one loop: the client's if it is valid, else the root of the load
/// balancer's trace if the peer is trusted, else a new one.
struct RequestID {
    /// Longer identifiers are not echoed, because log lines repeat them.
    static let byteLimit = 128
    // Identifiers have to be distinct, not secret, so a fast generator (splitmix64) with a random seed is sufficient.
    private var state = UInt64.random(in: .min ... .max)
    /// The first half of the digits, which identifies the loop; the other half tells its requests apart.
    private let prefix = (
        Hexadecimal.digits(.random(in: .min ... .max)), Hexadecimal.digits(.random(in: .min ... .max))
    )
    private static let newByteCount = 32

    /// Sets the identifier of a request whose head is complete, and the root of its trace.
    mutating func choose(for request: Request) {
        request.traceRoot = nil
        let known = request.head.fields
        if !known.contains(.xRequestID) && !known.contains(.xAmznTraceID) { return make(into: &request.requestIDBytes) }
        request.traceRoot = Self.traceRoot(of: request)
        if let range = Self.given(request) {
            let head = request.head.bytes
            request.requestIDBytes.removeAll(keepingCapacity: true)
            request.requestIDBytes.append(span: head.span.extracting(range))
        } else {
            make(into: &request.requestIDBytes)
        }
    }

    /// The position of a usable identifier in the request's head; nil when there is none.
    private static func given(_ request: Request) -> Range<Int>? {
        if let range = request.head.firstRange(of: .xRequestID) {
            let head = request.head.bytes
            if isSane(head.span.extracting(range)) { return range }
        }
        return request.traceRoot
    }

    private static func traceRoot(of request: Request) -> Range<Int>? {
        guard request.isPeerTrusted, let range = request.head.firstRange(of: .xAmznTraceID) else { return nil }
        let head = request.head.bytes
        return root(head.span, range)
    }

    /// Writes a new identifier: 32 hexadecimal digits, the first half of which is this loop's prefix.
    mutating func make(into bytes: inout [UInt8]) {
        state &+= 0x9E37_79B9_7F4A_7C15
        var word = state
        word = (word ^ (word >> 30)) &* 0xBF58_476D_1CE4_E5B9
        word = (word ^ (word >> 27)) &* 0x94D0_49BB_1331_11EB
        word ^= word >> 31
        // Usually the buffer already holds the connection's previous identifier and can be overwritten.
        if bytes.count != Self.newByteCount { bytes = Array(repeating: 0x30, count: Self.newByteCount) }
        // Four words of eight digits fill the 32 bytes.
        unsafe bytes.withUnsafeMutableBytes { digits in
            unsafe digits.storeBytes(of: prefix.0, toByteOffset: 0, as: UInt64.self)
            unsafe digits.storeBytes(of: prefix.1, toByteOffset: 8, as: UInt64.self)
            unsafe digits.storeBytes(of: Hexadecimal.digits(word >> 32), toByteOffset: 16, as: UInt64.self)
            unsafe digits.storeBytes(of: Hexadecimal.digits(word), toByteOffset: 24, as: UInt64.self)
        }
    }

    /// The `Root` of a trace field, `Root=1-67891233-abcdef012345678912345678;Self=…`; nil when there is none.
    static func root(_ bytes: Span<UInt8>, _ range: Range<Int>) -> Range<Int>? {
        var start = range.lowerBound
        while start < range.upperBound {
            var end = start
            while end < range.upperBound && bytes[end] != UInt8(ascii: ";") { end += 1 }
            let root = min(start + 5, end)..<end
            if bytes.extracting(start..<root.lowerBound).equals("Root=") {
                return isSane(bytes.extracting(root)) ? root : nil
            }
            start = end + 1
        }
        return nil
    }

    /// Whether an identifier has only letters, digits and marks that need no quoting in a log, a query or a shell.
    static func isSane(_ identifier: Span<UInt8>) -> Bool {
        guard identifier.count >= 1 && identifier.count <= byteLimit else { return false }
        for index in identifier.indices {
            let byte = identifier[index]
            if byte &- 0x30 < 10 || (byte | 0x20) &- 0x61 < 26 { continue }
            switch byte {
            case UInt8(ascii: "-"), UInt8(ascii: "_"), UInt8(ascii: "."), UInt8(ascii: ":"), UInt8(ascii: "="),
                UInt8(ascii: "/"), UInt8(ascii: "+"):
                continue
            default: return false
            }
        }
        return true
    }
}
