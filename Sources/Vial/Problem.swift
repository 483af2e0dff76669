/// A kind of error that a client's program may treat differently from others of the same status: the `type` of
/// `application/problem+json` (RFC 9457 §3.1.1). All other errors have `about:blank`: their status says everything.
public struct Problem: Equatable, Sendable {
    /// The last segment of its path, `/problems/NAME`: lower-case letters and hyphens.
    public let name: String
    /// A phrase for people.
    public let title: String
    /// Sentences for the author of a client: what happened, and what to do.
    public let explanation: String

    /// Traps when the name has other characters.
    public init(_ name: String, title: String, explanation: String) {
        precondition(
            !name.isEmpty && name.utf8.allSatisfy { (0x61...0x7A).contains($0) || $0 == 0x2D },
            "'\(name)' is not a valid name of a problem")
        self.name = name
        self.title = title
        self.explanation = explanation
    }

    /// The value of `type`.
    ///
    /// - Parameter basePath: prefix of the app's paths: RFC 9457 §3.1.1 advises against a shorter reference.
    func path(under basePath: String) -> String { "\(basePath)/problems/\(name)" }
}

extension Problem {
    /// Every type that a service answers with.
    public static let all: [Problem] = [.validation, .cursor, .keyReused, .unavailable, .outcomeUnknown]

    /// 422 for a body.
    public static let validation = Problem(
        "validation", title: "The content breaks a rule",
        explanation: """
            The request's content is well-formed JSON and breaks a rule. The member errors lists the broken rules: pointer is \
            the place in the content (RFC 6901), field its name, and message the rule. Nothing was changed; the same \
            request will be refused again.
            """)

    /// 400 for the cursor of a list.
    public static let cursor = Problem(
        "cursor", title: "The cursor does not belong to this list",
        explanation: """
            The cursor was altered or cut, or it belongs to a list with another order or other filters. Request the list \
            again without a cursor, and take further cursors from its answers.
            """)

    /// 422 for an `Idempotency-Key`.
    public static let keyReused = Problem(
        "key-reused", title: "The Idempotency-Key belongs to another request",
        explanation: """
            The Idempotency-Key was used with another content within the last 24 hours. Nothing was changed. Use a new key \
            for each new request, and the same key only to repeat a request unchanged.
            """)

    /// 503 when nothing was done.
    public static let unavailable = Problem(
        "unavailable", title: "Not available at the moment",
        explanation: """
            The service or its database is not available at the moment, and nothing was done. Repeat the request unchanged \
            after the number of seconds in Retry-After.
            """)

    /// 503 or 504 when a write may have happened.
    public static let outcomeUnknown = Problem(
        "outcome-unknown", title: "The outcome is unknown",
        explanation: """
            The request may have been carried out: the database did not confirm it. Read the resource to find out. A request \
            with an Idempotency-Key or a precondition may also be repeated with the same one: then it is not carried out \
            twice, and only the answer to such a request has Retry-After.
            """)
}
