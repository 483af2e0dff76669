extension PoolState {
    /// What a pool hears of: from its callers, its loop, its connections and the pools of the other loops.
    package enum Event {
        /// A caller asks for one statement. `hasMemory`: its parameters found room in the memory budget.
        case submitted(Request, hasMemory: Bool)
        /// A caller asks for a connection of its own.
        case leaseWanted(Lease)
        /// A transaction asks for a statement on the connection that it was lent.
        case submittedOn(Int, Request)
        /// A transaction is over. `isInTransaction`: by the server's last word one is still open.
        case leaseReturned(Int, isInTransaction: Bool)

        /// The first connections are to be opened.
        case started
        /// What this iteration of the loop brought was handled: what waits is sent now.
        case iterationEnded
        case timer(Timer)

        /// A connection opened. `isPooled`: a pooler is between, which takes one Sync at a time.
        case opened(Int, took: Duration, isPooled: Bool)
        /// An attempt to open one failed. `jitter`: 0…1, evenly spread, so that a fleet does not come back in step.
        case openFailed(Int, DatabaseError, took: Duration, jitter: Double)
        /// One read of a connection. `isBusy`: the server still owes something for what was sent. `hasGrown`: libpq keeps a buffer
        /// that is larger than a connection should have.
        case heard(Int, [Heard], isBusy: Bool, hasGrown: Bool)
        /// A connection broke, or one that was to be checked is broken. The last `unsent` statements in flight were certainly not
        /// sent.
        case broke(Int, DatabaseError, unsent: Int)
        /// There was no memory for the batch that this connection was given, of which nothing was sent.
        case noMemory(Int)
        /// A cancel request is over, perhaps after its connection. `isOverdue`: it may still arrive.
        case cancelEnded(Int, isOverdue: Bool)

        /// Another pool has found the database again.
        case siblingOpened
        /// Another pool met an error that all connections may meet.
        case siblingRetired(DatabaseError)

        /// Nothing new is taken in from now on.
        case closing
        /// What is in flight is given up now, and what waits is refused.
        case closed
    }

    /// What one read of a connection brought, in the order in which the server said it.
    package enum Heard: Equatable, Sendable {
        /// The server refused these statements, which ran as one where they are several. Their transaction is not over.
        /// `isPrepared`: they were prepared when the connection was opened.
        case failed([Request.ID], DatabaseError, isPrepared: Bool)
        /// The commit failed, as of a deferred constraint. Its Sync is confirmed next.
        case commitFailed(DatabaseError)
        /// Reads that succeeded, for whose results there is no memory.
        case unheld([Request.ID])
        /// A Sync is confirmed: the transaction of the next `count` statements in flight is over. `isComplete`: the server answered
        /// each of them, and skipped none. `wasWarned`: it said that it stopped waiting for a synchronous standby.
        case synced(count: Int, isComplete: Bool, wasWarned: Bool)
        /// The connection is of no use any more. Nothing follows.
        case lost(DatabaseError)
    }

    /// A moment that the pool asked to be told of.
    package enum Timer: Hashable, Sendable {
        /// The first of those that wait has waited enough.
        case wait
        /// The open connections do not suffice, or there may be memory again.
        case grow
        /// The pause after a failed attempt to connect is over.
        case retry
        /// Connections may have been idle for long.
        case idle
        /// Idle connections with large buffers are to be closed.
        case shrink
        /// The first answer on this connection is too late, or a cancel request is.
        case connection(Int)
    }
}
