import Formatting
import HTTP1

/// The value of `If-Match` or `If-None-Match` over all its lines: `*`, or entity tags separated by commas. It stays a
/// text, because it is compared once, and mostly has one tag.
enum EntityTagList {
    /// Tags of one list, above: 400. A cache sends one for each response that it has stored for a resource.
    static let tagLimit = 64

    /// The end of the tags of compressed representations: a content coding makes another representation, which needs
    /// another strong tag, of the same state. It is ignored in the tags that a client sends.
    private static let gzipSuffix: StaticString = "-gzip"

    /// One tag of a list.
    struct Element {
        let isWeak: Bool
        /// Between the quotes, without the suffix of a compressed representation.
        let text: Range<Int>
    }

    enum Fault: Error {
        case malformed
        case tooLong
    }

    /// Whether a list is `*`.
    static func isAny(_ list: Span<UInt8>) -> Bool {
        var position = 0
        if case .any? = next(in: list, after: &position) { return true }
        return false
    }

    /// The tags of a list in order; none for `*`.
    static func tags(of list: Span<UInt8>) -> [EntityTag] {
        var tags: [EntityTag] = []
        var position = 0
        while case .tag(let element)? = next(in: list, after: &position) { tags.append(EntityTag(element, in: list)) }
        return tags
    }

    /// Whether a list is `*`, or one of its tags is this one: strong, or with the same text (RFC 9110 §8.8.3.2).
    static func matches(_ list: Span<UInt8>, _ tag: EntityTag, strongly: Bool) -> Bool {
        // What nearly every client sends.
        if list.equals(tag.field.span) { return !(strongly && tag.isWeak) }
        let text = tag.field.span.extracting(tag.textRange)
        var position = 0
        while let step = next(in: list, after: &position) {
            switch step {
            case .any: return true
            case .malformed: return false
            case .tag(let element):
                if strongly && (element.isWeak || tag.isWeak) { continue }
                if list.extracting(element.text).equals(text) { return true }
            }
        }
        return false
    }

    static func check(_ list: Span<UInt8>) throws(Fault) {
        // What nearly every client sends.
        if list.isQuotedText { return }
        var (position, count, hasAny) = (0, 0, false)
        while let step = next(in: list, after: &position) {
            switch step {
            case .malformed: throw .malformed
            case .any:
                if hasAny || count > 0 { throw .malformed }
                hasAny = true
            case .tag:
                if hasAny { throw .malformed }
                count += 1
                if count > tagLimit { throw .tooLong }
            }
        }
    }

    private enum Step {
        case any
        case tag(Element)
        case malformed
    }

    /// The next element of a list, which may have empty ones (RFC 9110 §5.6.1); nil at its end.
    @inline(__always)
    private static func next(in list: Span<UInt8>, after position: inout Int) -> Step? {
        var start = position
        while start < list.count, isBlank(list[start]) || list[start] == UInt8(ascii: ",") { start += 1 }
        guard start < list.count else { return nil }
        var step = Step.any
        var end = start + 1
        if list[start] != UInt8(ascii: "*") {
            let isWeak =
                start + 1 < list.count && list[start] == UInt8(ascii: "W") && list[start + 1] == UInt8(ascii: "/")
            if isWeak { start += 2 }
            guard start < list.count, list[start] == 0x22 else { return .malformed }
            end = start + 1
            while end < list.count, EntityTag.isCharacter(list[end]) { end += 1 }
            guard end < list.count, list[end] == 0x22 else { return .malformed }
            step = .tag(Element(isWeak: isWeak, text: withoutSuffix(start + 1..<end, in: list)))
            end += 1
        }
        while end < list.count, isBlank(list[end]) { end += 1 }
        guard end == list.count || list[end] == UInt8(ascii: ",") else { return .malformed }
        position = end
        return step
    }

    private static func withoutSuffix(_ text: Range<Int>, in list: Span<UInt8>) -> Range<Int> {
        let rest = text.upperBound - gzipSuffix.utf8CodeUnitCount
        guard rest > text.lowerBound, list.extracting(rest..<text.upperBound).equals(gzipSuffix) else { return text }
        return text.lowerBound..<rest
    }

    private static func isBlank(_ byte: UInt8) -> Bool { byte == 0x20 || byte == 0x09 }
}

extension Span<UInt8> {
    /// Whether the bytes are visible ASCII in quotes, without another quote: one strong tag. False says nothing.
    fileprivate var isQuotedText: Bool {
        guard count >= 2, self[0] == 0x22, self[count - 1] == 0x22 else { return false }
        return extracting(1..<count - 1).isVisibleWithoutQuotes
    }
}
