import HTTPTypes
import Reactor
import Testing

@testable import Vial

/// A text as an answer.
func text(_ body: String) -> Answer {
    Answer(status: .ok, contentType: "text/plain", body: Array(body.utf8))
}

extension Response {
    var text: String { String(decoding: body, as: UTF8.self) }
}

extension Response {
    /// The media type of its body, nil without one.
    var type: String? { contentType?.description }
}

extension Answer {
    /// The response that is there.
    ///
    /// - Throws: `ExpectationFailedError` when it comes later.
    var response: Response {
        get throws {
            guard case .response(let response) = kind else { return try #require(nil, "the answer comes later") }
            return response
        }
    }
}

/// The answer of work that is done before it has begun.
func done(_ make: @escaping @Sendable () throws -> Answer) -> Answer {
    .work { $0.answer(make) }
}

/// The same of work that is done at the loop's next turn.
func nextTurn(_ make: @escaping @Sendable () throws -> Answer) -> Answer {
    .work { caller in caller.loop?.atNextTurn { caller.answer(make) } }
}
