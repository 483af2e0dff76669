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

    /// The pairs of the head's query; none when it has no query.
    public init(_ head: RequestHead) {
        bytes = head.bytes
        let range = head.query ?? 0..<0
        position = range.lowerBound
        end = range.upperBound
    }

    /// The next pair, nil after the last; nothing between two `&` is no pair.
    ///
    /// Throws `invalidPercentEncoding`, `encodedNull` or `invalidUTF8`, and `tooManyQueryItems` past
    /// `Limits.queryItemLimit`.
    public mutating func next() throws(ProtocolError) -> Item? {
        // The span borrows this reference, so that `self` may change meanwhile.
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
            let valueStart = min(nameEnd + 1, itemEnd)
            return Item(
                name: try PercentEncoding.decodeQueryComponent(all.extracting(start..<nameEnd)),
                value: try PercentEncoding.decodeQueryComponent(all.extracting(valueStart..<itemEnd)))
        }
        return nil
    }
}
