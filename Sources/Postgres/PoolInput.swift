extension PoolState {
    /// What a pool is notified of, by its callers, its loop, its connections and the pools of the other loops.
    package enum Event {
        /// A caller submits one statement. `hasMemory`: the memory budget had room for its parameters.
        case submitted(Request, hasMemory: Bool)
        /// A caller asks to borrow a connection.
        case leaseWanted(Lease)
        /// A transaction submits a statement on its connection.
        case submittedOn(Int, Request)
        /// A transaction has ended. `isInTransaction`: the server's last status says that it is still open.
        case leaseReturned(Int, isInTransaction: Bool)

        /// Open the first connections.
        case started
        /// All events of this loop iteration were handled: send what waits.
        case iterationEnded
        case timer(Timer)

        /// A connection was opened. `isPooled`: through a pooler, which takes one Sync at a time.
        case opened(Int, took: Duration, isPooled: Bool)
        /// An attempt to open a connection failed. `jitter`: uniform in 0…1, so that the processes of a fleet do not
        /// reconnect in step.
        case openFailed(Int, DatabaseError, took: Duration, jitter: Double)
        /// One read of a connection. `isBusy`: the server still has to answer something. `hasGrown`: libpq keeps an
        /// oversized buffer.
        case heard(Int, [Heard], isBusy: Bool, hasGrown: Bool)
        /// A connection broke, or a check found it broken. The last `unsent` statements in flight were certainly not
        /// sent.
        case broke(Int, DatabaseError, unsent: Int)
        /// There was no memory for this connection's batch, and nothing of it was sent.
        case noMemory(Int)
        /// A cancel request ended, possibly after its connection. `isOverdue`: it may still reach the server.
        case cancelEnded(Int, isOverdue: Bool)

        /// Another pool reached the database again.
        case siblingOpened
        /// Another pool met an error that probably affects all connections.
        case siblingRetired(DatabaseError)

        /// Accept nothing new from now on.
        case closing
        /// Give up what is in flight, and refuse what waits.
        case closed
    }

    /// The contents of one read of a connection, in the order in which the server sent them.
    package enum Heard: Equatable, Sendable {
        /// The server refused these statements; several means they ran merged into one. Their transaction has not ended
        /// yet. `isPrepared`: they were prepared when the connection was opened.
        case failed([Request.ID], DatabaseError, isPrepared: Bool)
        /// The commit failed, for instance on a deferred constraint. The confirmation of its Sync follows.
        case commitFailed(DatabaseError)
        /// Reads that succeeded, but there is no memory for their results.
        case unheld([Request.ID])
        /// A Sync is confirmed: the transaction of the next `count` statements in flight has ended. `isComplete`: the
        /// server answered each of them. `wasWarned`: it reported that it stopped waiting for a synchronous standby.
        case synced(count: Int, isComplete: Bool, wasWarned: Bool)
        /// The connection is unusable. Nothing follows.
        case lost(DatabaseError)
    }

    /// A timer of the pool.
    package enum Timer: Hashable, Sendable {
        /// The oldest waiting caller has reached its limit.
        case wait
        /// Time to open one more connection, or to try again to get memory.
        case grow
        /// The pause after a failed attempt to connect is over.
        case retry
        /// Connections may have been idle for too long.
        case idle
        /// Close idle connections with large buffers.
        case shrink
        /// The first answer on this connection, or a cancel request, is overdue.
        case connection(Int)
    }
}
