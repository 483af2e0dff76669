/// When attempts to make later changes of a schema follow each other. A value, without a clock.
struct LaterChangesRetry {
    /// Attempts of one process: together about an hour, in which another process ends the longest statement.
    static let attemptLimit = 12
    /// Pause after the first attempt that did not succeed; it doubles after each further one.
    static let firstPause = Duration.seconds(5)
    static let longestPause = Duration.seconds(600)

    /// The outcome of one attempt.
    enum Outcome: Equatable {
        /// Nothing is left to do, or nothing that this process may do.
        case done
        /// Another process makes the changes at the moment.
        case busy
        /// Some change failed, or the connection did.
        case failed
        /// A change failed, and would fail again: the role lacks a right, or the SQL does not suit the schema.
        case refused
        /// The process ends.
        case closing
    }

    enum Action: Equatable {
        case end
        case retry(after: Duration)
        /// Until the next start of a process.
        case giveUp
    }

    private var attemptCount = 0

    mutating func next(after outcome: Outcome) -> Action {
        attemptCount += 1
        switch outcome {
        case .done, .closing: return .end
        case .refused: return .giveUp
        case .busy, .failed:
            guard attemptCount < Self.attemptLimit else { return .giveUp }
            return .retry(after: min(Self.longestPause, Self.firstPause * (1 << (attemptCount - 1))))
        }
    }
}
