package import Platform

extension PoolState {
    /// What the performer must do, in order. Each submitted request gets exactly one `answer` or `fail`, and each lease
    /// exactly one `lend` or `refuse`.
    package enum Action: Equatable, Sendable {
        /// The transaction is committed: answer each request with the rows received for it.
        case answer([Request])
        /// Fail the request. After `.deadlineExceeded` it may still be in flight.
        case fail(Request, DatabaseError)
        /// The request certainly had no effect and waits again: discard the result received for it.
        case undo(Request.ID)
        /// Lend a connection to one caller, until `Event.leaseReturned`.
        case lend(Int, to: Lease.ID)
        case refuse(Lease.ID, DatabaseError)

        /// Open a connection with this id, off the loop. `opened` or `openFailed` follows.
        case open(Int)
        /// Send these, with a Sync at the end and wherever `Request.isApart(from:)` asks for one. If sending fails,
        /// `broke` or `noMemory` follows at once. Also sets the connection's timer to the batch's deadline.
        case send(Batch, on: Int)
        /// Send a cancel request for this connection. `cancelEnded` follows, even if the connection is closed first.
        case requestCancel(Int)
        /// Check whether this idle connection is broken. If so, `broke` follows with this error.
        case check(Int, DatabaseError)
        /// Close it. Other actions decide about its statements in flight.
        case close(Int)

        /// Report `timer` when this time has passed. Replaces the timer's earlier time.
        case arm(Timer, at: Instant)
        case disarm(Timer)

        /// For the pools of the other loops, which receive it as `siblingOpened` or `siblingRetired`.
        case tellSiblings(SiblingNews)
        case report(Report)
    }

    package enum SiblingNews: Equatable, Sendable {
        case opened
        case retired(DatabaseError)
    }

    /// What is worth a log line or a metric, besides the outcomes of statements.
    package enum Report: Equatable, Sendable {
        case opened(took: Duration)
        case openFailed(DatabaseError)
        case lost(DatabaseError)
        /// A connection that replaces a lost one was opened.
        case reconnected
        /// The database became available.
        case up
        /// The database became unavailable.
        case down(DatabaseError)
        /// The counts, after a change.
        case load(PoolLoad)
    }
}
