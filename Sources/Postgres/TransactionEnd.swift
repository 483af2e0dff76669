/// How the statements of one Sync ended, by what the server said up to its confirmation.
enum TransactionEnd: Equatable {
    /// Committed, or one statement alone that failed: each has its outcome.
    case decided
    /// Committed by this server. It may have stopped waiting for a synchronous standby, so what was written may be lost yet.
    case unconfirmed
    /// Rolled back by one of several: none of them happened.
    case undone
    /// Rolled back because the connection's prepared statements are no longer what they were: none of them happened, and
    /// nothing is wrong with them.
    case stale(DatabaseError)
    /// The server passed statements over and says of none that it failed: its answers are not those to what was sent.
    case unknown

    /// What becomes of a statement that did not happen because prepared statements are no longer what they were.
    enum Repeat: Equatable {
        /// It runs again, on another connection.
        case elsewhere
        /// It runs again by itself, so that whoever misses something is told alone.
        case alone
        /// It fails with the error.
        case none

        /// - Parameters:
        ///   - isConnectionRetired: whether the connection it met will be given up.
        ///   - isAlone: whether it had a transaction of its own.
        ///   - count: how many did not happen.
        init(isConnectionRetired: Bool, isAlone: Bool, count: Int) {
            self = isConnectionRetired ? .elsewhere : isAlone || count == 1 ? .none : .alone
        }
    }

    /// - Parameters:
    ///   - failure: the first error, of a statement or of the commit.
    ///   - isStale: whether that error is the connection's and not the statement's.
    ///   - count: how many statements they are.
    ///   - isDoubtful: whether the commit's wait for a synchronous standby may have been cut short.
    ///   - isComplete: whether each of them was answered, and none passed over.
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
