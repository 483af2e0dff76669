public import HTTP1
import HTTPTypes

/// One declared operation: a route, and all that a document says about it.
public struct Operation: Sendable {
    /// The body of its requests.
    @usableFromInline
    struct Body: Sendable {
        let schema: Schema
        let mediaType: String
    }

    /// Its answer when it succeeds.
    @usableFromInline
    struct Success: Sendable {
        let status: HTTPResponse.Status
        /// Nil: it has no body.
        let schema: Schema?
        let mediaType: String
        let hasLocation: Bool
        /// Whether a missing resource is answered with 404.
        let isOptional: Bool

        @usableFromInline
        init<R: Outcome>(_ answer: DeclaredAnswer<R.Content>, of type: R.Type) {
            status = answer.status
            schema = R.Content.hasBody ? R.Content.schema : nil
            mediaType = R.Content.mediaType
            hasLocation = answer.locate != nil
            isOptional = R.isOptional
        }

        /// 200 with a body.
        init<Content: Described>(_: Content.Type) {
            status = .ok
            schema = Content.schema
            mediaType = Content.mediaType
            hasLocation = false
            isOptional = false
        }
    }

    public let method: KnownMethod
    /// As registered, without the base path.
    public let pattern: String
    /// Unique in an app: letters, digits and underscores.
    public let id: String
    public let summary: String
    public let traits: [Trait]
    /// The path's parameters, in order.
    let parameters: [Schema.Property]
    let query: [Schema.Property]
    let body: Body?
    let success: Success
    /// What groups operations of one kind in a document.
    var tag: String
    /// The statuses of other answers with the content of `success`.
    var alike: [HTTPResponse.Status] = []

    /// Whether it changes nothing.
    var isRead: Bool { method == .get }

    /// The usual tag of a pattern: the first segment behind `/api`.
    static func tag(of pattern: String) -> String {
        let segments = pattern.split(separator: "/").filter { $0 != "api" && !$0.hasPrefix("{") }
        return segments.first.map(String.init) ?? "service"
    }
}

/// What every declaration has beside its input and its handler.
@usableFromInline
struct Declaration: Sendable {
    let method: KnownMethod
    let pattern: String
    let id: String
    let summary: String
    let success: Operation.Success
    let traits: [Trait]

    @usableFromInline
    init(
        _ method: KnownMethod, _ pattern: String, _ id: String, _ summary: String, _ success: Operation.Success,
        _ traits: [Trait]
    ) {
        self.method = method
        self.pattern = pattern
        self.id = id
        self.summary = summary
        self.success = success
        self.traits = traits
    }

    /// - Parameters:
    ///   - pattern: with the group's prefix.
    ///   - types: of the path's parameters, in order.
    func operation(
        _ pattern: String, types: [any PathParameter.Type], query: [Schema.Property], body: Operation.Body?
    ) -> Operation {
        let names = pattern.split(separator: "/").filter { $0.hasPrefix("{") }.map { String($0.dropFirst().dropLast()) }
        precondition(
            !id.isEmpty && id.utf8.allSatisfy { $0 == 0x5F || ($0 | 0x20) - 0x61 < 26 || (0x30...0x39).contains($0) },
            "the operation '\(id)' of \(pattern) needs a name of letters, digits and underscores")
        return Operation(
            method: method, pattern: pattern, id: id, summary: summary, traits: traits,
            parameters: zip(names, types).map { Schema.Property(name: $0, schema: $1.schema, isRequired: true) },
            query: query, body: body, success: success, tag: Operation.tag(of: pattern))
    }
}
