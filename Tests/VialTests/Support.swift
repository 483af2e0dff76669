import HTTPTypes
import Reactor
import Testing

@testable import Vial

/// A text response.
func text(_ body: String) -> Answer {
    Answer(status: .ok, contentType: "text/plain", body: Array(body.utf8))
}

extension Response {
    var text: String { String(decoding: body, as: UTF8.self) }
}

extension Response {
    /// The media type of the body, nil without one.
    var type: String? { contentType?.description }
}

extension Answer {
    /// The finished response.
    ///
    /// - Throws: `ExpectationFailedError` when the answer is deferred.
    var response: Response {
        get throws {
            guard case .response(let response) = kind else { return try #require(nil, "the answer comes later") }
            return response
        }
    }
}

/// Work that answers before `begin` returns.
func done(_ make: @escaping @Sendable () throws -> Answer) -> Answer {
    .work { $0.answer(make) }
}

/// Work that answers in the loop's next iteration.
func nextTurn(_ make: @escaping @Sendable () throws -> Answer) -> Answer {
    .work { caller in caller.loop?.atNextTurn { caller.answer(make) } }
}
