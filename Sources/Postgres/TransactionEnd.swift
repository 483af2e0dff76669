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

    /// - Parameters:
    ///   - failure: the first error, of a statement or of the commit.
    ///   - isStale: whether that error is the connection's and not the statement's.
    ///   - count: how many statements they are.
    ///   - isDoubtful: whether the commit's wait for a synchronous standby may have been cut short.
    init(failure: DatabaseError?, isStale: Bool, count: Int, isDoubtful: Bool) {
        if let failure {
            self = isStale ? .stale(failure) : count == 1 ? .decided : .undone
        } else {
            self = isDoubtful ? .unconfirmed : .decided
        }
    }
}
