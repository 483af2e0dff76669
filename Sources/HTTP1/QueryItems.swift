import Formatting

/// The name and value pairs of a query, `name=value&name=value`, decoded one at a time and in order.
public struct QueryItems: Sendable {
    /// One pair; without `=` the value is empty.
    public struct Item: Equatable, Sendable {
        public let name: String
        public let value: String
    }

    private let bytes: [UInt8]
    private var position: Int
    private let end: Int
    private var count = 0

    /// The pairs of the head's query; none if it has no query.
    public init(_ head: RequestHead) {
        bytes = head.bytes
        let range = head.query ?? 0..<0
        position = range.lowerBound
        end = range.upperBound
    }

    /// The next pair, nil after the last one; empty text between two `&` is not a pair.
    ///
    /// Throws `invalidPercentEncoding`, `encodedNull` or `invalidUTF8`, and `tooManyQueryItems` past
    /// `Limits.queryItemLimit`.
    public mutating func next() throws(ProtocolError) -> Item? {
        guard let pair = try nextPair() else { return nil }
        return try decode(pair)
    }

    /// The value of the next pair of that name, nil after the last one. Throws as `next()` does, also for the pairs
    /// that it skips. It creates no text for skipped pairs that need no decoding.
    public mutating func next(named name: String) throws(ProtocolError) -> String? {
        while let pair = try nextPair() {
            // The span borrows this reference, so that `self` may change meanwhile.
            let bytes = self.bytes
            if PercentEncoding.standsForItself(bytes.span.extracting(pair.name.lowerBound..<pair.value.upperBound)) {
                if bytes.span.extracting(pair.name).equals(name.utf8.span) {
                    return String(decoding: bytes[pair.value], as: UTF8.self)
                }
            } else {
                let item = try decode(pair)
                if item.name == name { return item.value }
            }
        }
        return nil
    }

    private func decode(_ pair: (name: Range<Int>, value: Range<Int>)) throws(ProtocolError) -> Item {
        Item(
            name: try PercentEncoding.decodeQueryComponent(bytes.span.extracting(pair.name)),
            value: try PercentEncoding.decodeQueryComponent(bytes.span.extracting(pair.value)))
    }

    private mutating func nextPair() throws(ProtocolError) -> (name: Range<Int>, value: Range<Int>)? {
        // As above.
        let bytes = self.bytes
        let all = bytes.span
        while position < end {
            let start = position
            let itemEnd = Grammar.firstIndex(of: 0x26, in: all, from: start, to: end)
            position = itemEnd + 1
            if itemEnd == start { continue }
            count += 1
            guard count <= Limits.queryItemLimit else { throw .tooManyQueryItems }
            let nameEnd = Grammar.firstIndex(of: 0x3D, in: all, from: start, to: itemEnd)
            return (start..<nameEnd, min(nameEnd + 1, itemEnd)..<itemEnd)
        }
        return nil
    }
}
