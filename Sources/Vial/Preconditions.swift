import Formatting
import HTTP1
import HTTPTypes

/// The preconditions of a request (RFC 9110 §13): `If-Match` and `If-None-Match`. Read them before the work begins, and
/// apply them to the current state: `Answer.json(_:if:)` for reads; for writes in the statement that writes, because
/// another write may come between.
///
/// `If-Modified-Since`, `If-Unmodified-Since` and `If-Range` are ignored, as RFC 9110 §13.1 requires of a resource
/// without a modification date.
public struct Preconditions: Sendable {
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

    /// Both fields' values, `If-Match` first; nil without conditions. One text, because the closures of most requests
    /// capture it for nothing.
    private let text: [UInt8]?
    /// Bytes of `If-Match`; -1 without it.
    private let requiredCount: Int32
    private let excludes: Bool
    private let isRead: Bool

    /// - Parameter isRead: whether the method is GET or HEAD.
    public init(ifMatch: Condition?, ifNoneMatch: Condition?, isRead: Bool) {
        let (required, excluded) = (ifMatch?.text, ifNoneMatch?.text)
        text = required == nil && excluded == nil ? nil : (required ?? []) + (excluded ?? [])
        requiredCount = required.map { Int32($0.count) } ?? -1
        excludes = excluded != nil
        self.isRead = isRead
    }

    /// The conditions of a request.
    ///
    /// - Parameter isRequired: whether a request without `If-Match` is refused: for PUT, PATCH and DELETE.
    /// - Throws: `HTTPError` 400 for a field that is neither `*` nor a list of at most 64 entity tags; 428.
    public init(_ request: Request, isRequired: Bool = false) throws(HTTPError) {
        guard request.head.fields.hasPreconditions else {
            if isRequired { throw .preconditionRequired }
            (text, requiredCount, excludes, isRead) = (nil, -1, false, false)
            return
        }
        var text: [UInt8] = []
        let required = try Self.append(.ifMatch, "If-Match", of: request, to: &text)
        if isRequired && required == nil { throw .preconditionRequired }
        excludes = try Self.append(.ifNoneMatch, "If-None-Match", of: request, to: &text) != nil
        requiredCount = required ?? -1
        self.text = text
        isRead = request.head.knownMethod == .get || request.head.knownMethod == .head
    }

    /// Appends a field's value over all its lines.
    ///
    /// - Returns: the number of its bytes; nil when it is absent.
    private static func append(
        _ field: KnownField, _ name: StaticString, of request: Request, to text: inout [UInt8]
    ) throws(HTTPError) -> Int32? {
        guard let range = request.head.fields.firstRange(of: field) else { return nil }
        let bytes = request.head.bytes
        let start = text.count
        if request.head.fields.isRepeated(field) {
            for line in request.head.fields where line.known == field {
                text += bytes[line.value] + [UInt8(ascii: ",")]
            }
        } else {
            text.append(addingCapacity: range.count) { $0.append(span: bytes.span.extracting(range)) }
        }
        do throws(EntityTagList.Fault) {
            try EntityTagList.check(text.span.extracting(start...))
            return Int32(text.count - start)
        } catch {
            throw HTTPError(error, in: name)
        }
    }

    /// Whether the request has none.
    public var isEmpty: Bool { text == nil }

    public var ifMatch: Condition? {
        guard let text, requiredCount >= 0 else { return nil }
        return Condition(text.span.extracting(first: Int(requiredCount)))
    }

    public var ifNoneMatch: Condition? {
        guard let text, excludes else { return nil }
        return Condition(text.span.extracting(droppingFirst: max(Int(requiredCount), 0)))
    }

    /// What the conditions make of a request for a resource that exists, in the order of RFC 9110 §13.2.2. A missing
    /// resource is 404, whatever the conditions are (§13.2.1).
    ///
    /// - Parameter current: the resource's tag.
    public func verdict(on current: EntityTag) -> Verdict {
        guard let text else { return .perform }
        let lists = text.span
        let end = max(Int(requiredCount), 0)
        if requiredCount >= 0, !EntityTagList.matches(lists.extracting(first: end), current, strongly: true) {
            return .fail
        }
        guard excludes, EntityTagList.matches(lists.extracting(droppingFirst: end), current, strongly: false) else {
            return .perform
        }
        return isRead ? .notModified : .fail
    }

    /// Applies the conditions to a resource that exists and has no entity tag, such as a collection that is added to:
    /// only `If-Match: *` holds, because nothing else can be verified.
    ///
    /// - Throws: `HTTPError` 412.
    public func requireNoTags() throws(HTTPError) {
        guard let text else { return }
        guard !excludes, EntityTagList.isAny(text.span) else { throw .preconditionFailed }
    }
}

extension Preconditions.Condition {
    fileprivate init(_ list: Span<UInt8>) {
        self = EntityTagList.isAny(list) ? .any : .tags(EntityTagList.tags(of: list))
    }

    /// As a field has it.
    fileprivate var text: [UInt8] {
        switch self {
        case .any: Array("*".utf8)
        case .tags(let tags): Array(tags.map(\.field).joined(separator: [UInt8(ascii: ",")]))
        }
    }
}

extension HTTPError {
    fileprivate init(_ fault: EntityTagList.Fault, in field: StaticString) {
        switch fault {
        case .malformed:
            self.init(.badRequest, "The \(field) field must be * or a list of entity tags in double quotes.")
        case .tooLong:
            self.init(.badRequest, "The \(field) field has more than \(EntityTagList.tagLimit) entity tags.")
        }
    }
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
