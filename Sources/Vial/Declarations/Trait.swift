/// What an operation does beside reading its input and answering its value: the document lists the fields and answers that
/// belong to it. The handler, or a hook, does it.
public enum Trait: Sendable {
    /// The answer has an entity tag, and preconditions are evaluated (RFC 9110 §13).
    case conditional
    /// A repeated request with the same `Idempotency-Key` gets the first one's answer.
    case idempotencyKey
    /// The answer is a page, and links to its neighbours.
    case pages
    /// `Prefer: return=minimal` is answered without a body (RFC 7240 §4.2).
    case minimal
    /// The request needs a bearer token (RFC 6750).
    case authenticated
}

extension Trait {
    /// A field of a request or an answer.
    struct Field {
        let name: String
        let description: String
        let schema: Schema
    }

    func requestFields(isRead: Bool) -> [Field] {
        switch self {
        case .conditional where isRead:
            [Field(name: "If-None-Match", description: "Answer 304 if the tag is still current.", schema: Self.tags)]
        case .conditional:
            [
                Field(name: "If-Match", description: "Refuse with 412 if the tag is not current.", schema: Self.tags),
                Field(name: "If-None-Match", description: "Refuse with 412 if the tag is current.", schema: Self.tags),
            ]
        case .idempotencyKey:
            [
                Field(
                    name: "Idempotency-Key", description: "Repeats the answer to the first request with this key.",
                    schema: .string(
                        count: 1...255, pattern: "^[!-~]+$", example: "8e03978e-40d5-43dd-bc93-6894a57f9324"))
            ]
        case .minimal:
            [
                Field(
                    name: "Prefer", description: "`return=minimal`: answer without a body.",
                    schema: .string(example: "return=minimal"))
            ]
        case .pages, .authenticated: []
        }
    }

    func answerFields(isRead: Bool) -> [Field] {
        switch self {
        case .conditional:
            [Field(name: "ETag", description: "The entity tag.", schema: .string(example: "\"1\""))]
        case .idempotencyKey:
            [
                Field(
                    name: "Idempotent-Replayed", description: "`true`: the answer is the first request's.",
                    schema: Schema(["type": "string", "enum": ["true"]]))
            ]
        case .pages:
            [
                Field(
                    name: "Link", description: "The neighbouring pages (RFC 8288).",
                    schema: .string(example: "</api/items?cursor=a>; rel=\"next\""))
            ]
        case .minimal:
            [
                Field(
                    name: "Preference-Applied", description: "`return=minimal`, if there is no body for that reason.",
                    schema: .string(example: "return=minimal"))
            ]
        case .authenticated: []
        }
    }

    /// The statuses of further answers: without a body below 400, problems from there on.
    func statuses(isRead: Bool) -> [Int] {
        switch self {
        case .conditional: isRead ? [304] : [412, 428]
        case .minimal: [204]
        case .authenticated: [401, 403]
        case .idempotencyKey, .pages: []
        }
    }

    private static var tags: Schema { .string(format: "entity-tag", example: "\"1\"") }
}
