package import Platform

extension PoolState {
    /// What is to be done, in the order in which it was decided. Of each request that was submitted exactly one `answer` or `fail`
    /// comes, and of each lease exactly one `lend` or `refuse`.
    package enum Action: Equatable, Sendable {
        /// Their transaction is committed: each is answered with the rows that came for it.
        case answer([Request])
        /// It fails. Where its deadline was faster (`.deadlineExceeded`) it may still be in flight.
        case fail(Request, DatabaseError)
        /// It certainly did nothing, and waits again: what came for it is of no use.
        case undo(Request.ID)
        /// A connection for one caller alone, until `Event.leaseReturned`.
        case lend(Int, to: Lease.ID)
        case refuse(Lease.ID, DatabaseError)

        /// Open a connection under this number, off the loop. `opened` or `openFailed` follows.
        case open(Int)
        /// Send these, with a Sync wherever `Request.isApart(from:)` asks for one, and at their end. Where that fails `broke` or
        /// `noMemory` follows at once. Sets the connection's timer to the batch's deadline.
        case send(Batch, on: Int)
        /// Have the server stop what runs on this connection. `cancelEnded` follows, also when the connection is closed meanwhile.
        case requestCancel(Int)
        /// Look whether this idle connection is broken. Where it is, `broke` follows with this error.
        case check(Int, DatabaseError)
        /// Close it. Other actions say what becomes of what was in flight on it.
        case close(Int)

        /// Tell of this moment once it has passed. A timer has one moment: a later one takes its place.
        case arm(Timer, at: Instant)
        case disarm(Timer)

        /// For the pools of the other loops, as `siblingOpened` or `siblingRetired`.
        case tellSiblings(SiblingNews)
        case report(Report)
    }

    package enum SiblingNews: Equatable, Sendable {
        case opened
        case retired(DatabaseError)
    }

    /// What is worth a log line or a metric beside the fate of statements.
    package enum Report: Equatable, Sendable {
        case opened(took: Duration)
        case openFailed(DatabaseError)
        case lost(DatabaseError)
        /// A connection opened in the place of a lost one.
        case reconnected
        /// The database is there.
        case up
        /// The database is away.
        case down(DatabaseError)
        /// The numbers, after a change.
        case load(PoolLoad)
    }
}
