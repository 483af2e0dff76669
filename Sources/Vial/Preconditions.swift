import HTTP1
import HTTPTypes

/// The preconditions of a request (RFC 9110 §13): `If-Match` and `If-None-Match`. Read them before the work begins, and
/// apply them to the current state: `Answer.json(_:if:)` for reads; for writes in the statement that writes, because
/// another write may come between.
///
/// `If-Modified-Since`, `If-Unmodified-Since` and `If-Range` are ignored, as RFC 9110 §13.1 requires of a resource
/// without a modification date.
public struct Preconditions: Sendable {
    /// Entity tags in one field, above: 400. A cache sends one for each response that it has stored for a resource.
    static let tagLimit = 64

    /// The value of one of the fields.
    public enum Condition: Equatable, Sendable {
        /// `*`: any state of a resource that exists.
        case any
        /// Possibly none.
        case tags([EntityTag])
    }

    /// What to do with a request for a resource that exists.
    public enum Verdict: Equatable, Sendable {
        case perform
        /// Answer 304: the client has the current state.
        case notModified
        /// Answer 412.
        case fail
    }

    /// An object, because most requests have no conditions, and closures capture them all.
    private final class Given: Sendable {
        let ifMatch: Condition?
        let ifNoneMatch: Condition?
        let isRead: Bool

        init(ifMatch: Condition?, ifNoneMatch: Condition?, isRead: Bool) {
            self.ifMatch = ifMatch
            self.ifNoneMatch = ifNoneMatch
            self.isRead = isRead
        }
    }

    private let given: Given?

    /// - Parameter isRead: whether the method is GET or HEAD.
    public init(ifMatch: Condition?, ifNoneMatch: Condition?, isRead: Bool) {
        given = Self.given(ifMatch, ifNoneMatch, isRead: isRead)
    }

    /// The conditions of a request.
    ///
    /// - Parameter isRequired: whether a request without `If-Match` is refused: for PUT, PATCH and DELETE.
    /// - Throws: `HTTPError` 400 for a field that is neither `*` nor a list of at most 64 entity tags; 428.
    public init(_ request: Request, isRequired: Bool = false) throws(HTTPError) {
        if isRequired, !request.head.fields.contains(.ifMatch) { throw .preconditionRequired }
        guard request.head.fields.contains(.ifMatch) || request.head.fields.contains(.ifNoneMatch) else {
            given = nil
            return
        }
        let method = request.head.knownMethod
        given = Self.given(
            try Self.read(.ifMatch, "If-Match", request.head),
            try Self.read(.ifNoneMatch, "If-None-Match", request.head), isRead: method == .get || method == .head)
    }

    private static func given(_ ifMatch: Condition?, _ ifNoneMatch: Condition?, isRead: Bool) -> Given? {
        if ifMatch == nil && ifNoneMatch == nil { return nil }
        return Given(ifMatch: ifMatch, ifNoneMatch: ifNoneMatch, isRead: isRead)
    }

    /// Whether the request has none.
    public var isEmpty: Bool { given == nil }

    public var ifMatch: Condition? { given?.ifMatch }
    public var ifNoneMatch: Condition? { given?.ifNoneMatch }

    /// What the conditions make of a request for a resource that exists, in the order of RFC 9110 §13.2.2. A missing
    /// resource is 404, whatever the conditions are (§13.2.1).
    ///
    /// - Parameter current: the resource's tag.
    public func verdict(on current: EntityTag) -> Verdict {
        guard let given else { return .perform }
        switch given.ifMatch {
        case .tags(let tags)? where !tags.contains(where: current.matchesStrongly): return .fail
        default: break
        }
        switch given.ifNoneMatch {
        case nil: return .perform
        case .tags(let tags)? where !tags.contains(where: current.matchesWeakly): return .perform
        default: return given.isRead ? .notModified : .fail
        }
    }

    /// Applies the conditions to a resource that exists and has no entity tag, such as a collection that is added to:
    /// only `If-Match: *` holds, because nothing else can be verified.
    ///
    /// - Throws: `HTTPError` 412.
    public func requireNoTags() throws(HTTPError) {
        guard let given else { return }
        guard given.ifMatch ?? .any == .any, given.ifNoneMatch == nil else { throw .preconditionFailed }
    }

    /// The field's value over all its lines; nil when it is absent.
    private static func read(
        _ field: KnownField, _ name: StaticString, _ head: RequestHead
    ) throws(HTTPError) -> Condition? {
        guard head.fields.contains(field) else { return nil }
        var isAny = false
        var tags: [EntityTag] = []
        let bytes = head.bytes
        for line in head.fields where line.known == field {
            guard read(bytes.span.extracting(line.value), &isAny, &tags), !isAny || tags.isEmpty else {
                throw HTTPError(.badRequest, "The \(name) field must be * or a list of entity tags in double quotes.")
            }
            guard tags.count <= tagLimit else {
                throw HTTPError(.badRequest, "The \(name) field has more than \(tagLimit) entity tags.")
            }
        }
        return isAny ? .any : .tags(tags)
    }

    /// Reads one line; false when it is malformed. A list may have empty elements (RFC 9110 §5.6.1).
    private static func read(_ text: Span<UInt8>, _ isAny: inout Bool, _ tags: inout [EntityTag]) -> Bool {
        var position = 0
        while true {
            while position < text.count, isSeparator(text[position]) { position += 1 }
            if position == text.count { return true }
            if text[position] == UInt8(ascii: "*") {
                if isAny { return false }
                isAny = true
                position += 1
            } else if tags.count <= tagLimit, let tag = EntityTag(takenFrom: text, at: &position) {
                tags.append(tag)
            } else {
                // Also beyond the limit, where the rest is not read.
                return tags.count > tagLimit
            }
            while position < text.count, isBlank(text[position]) { position += 1 }
            guard position == text.count || text[position] == UInt8(ascii: ",") else { return false }
        }
    }

    private static func isBlank(_ byte: UInt8) -> Bool { byte == 0x20 || byte == 0x09 }

    private static func isSeparator(_ byte: UInt8) -> Bool { isBlank(byte) || byte == UInt8(ascii: ",") }
}

extension HTTPError {
    /// The answer when a precondition of the request does not hold.
    public static var preconditionFailed: HTTPError {
        HTTPError(.preconditionFailed, "The current state is not the one that the request's precondition names.")
    }

    /// The answer to a write that must name the state it changes and does not (RFC 6585 §3).
    public static var preconditionRequired: HTTPError {
        HTTPError(.preconditionRequired, "The request needs the field If-Match with the entity tag of what it changes.")
    }
}
