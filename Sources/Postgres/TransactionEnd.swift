/// How the statements of one Sync ended, according to the server's answers up to its confirmation.
enum TransactionEnd: Equatable {
    /// Committed, or a single statement that failed: each has its own outcome.
    case decided
    /// Committed by this server, but it may have stopped waiting for a synchronous standby, so the writes may still be
    /// lost.
    case unconfirmed
    /// Rolled back because one of several failed: none had an effect.
    case undone
    /// Rolled back because the connection's prepared statements are outdated: none had an effect, and none is at fault.
    case stale(DatabaseError)
    /// The server skipped statements without an error for any: its answers do not match what was sent.
    case unknown

    /// What to do with a statement that had no effect because of outdated prepared statements.
    enum Repeat: Equatable {
        /// Repeat it on another connection.
        case elsewhere
        /// Repeat it alone, so that only the statement with a missing object fails.
        case alone
        /// Fail it with the error.
        case none

        /// - Parameters:
        ///   - isConnectionRetired: whether its connection will be given up.
        ///   - isAlone: whether it had a transaction of its own.
        ///   - count: number of statements that had no effect.
        init(isConnectionRetired: Bool, isAlone: Bool, count: Int) {
            self = isConnectionRetired ? .elsewhere : isAlone || count == 1 ? .none : .alone
        }
    }

    /// - Parameters:
    ///   - failure: the first error, of a statement or of the commit.
    ///   - isStale: whether that error is caused by the connection and not by the statement.
    ///   - count: number of statements.
    ///   - isDoubtful: whether the commit may have stopped waiting for a synchronous standby.
    ///   - isComplete: whether each statement was answered and none skipped.
    init(failure: DatabaseError?, isStale: Bool, count: Int, isDoubtful: Bool, isComplete: Bool) {
        if let failure {
            self = isStale ? .stale(failure) : count == 1 ? .decided : .undone
        } else if !isComplete {
            self = .unknown
        } else {
            self = isDoubtful ? .unconfirmed : .decided
        }
    }
}
