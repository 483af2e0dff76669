import Postgres

/// The `PoolState` of one loop and what `Postgres.LoopPool` keeps beside it.
final class PoolDriver {
    enum Task {
        case cancelEnded(Int, isOverdue: Bool)
        case opened(Int, backend: Int, took: Moment)
        case openFailed(Int, DatabaseError, took: Moment)
        case sibling(PoolState.SiblingNews)
        case lent(Int, call: Int)
        case refused(call: Int, DatabaseError)
        /// A statement of a transaction ended.
        case ended(statement: Int, DatabaseError?)
        case drainChanged, finishAccepting, closing, closed
    }

    let index: Int
    var state: PoolState
    var links: [Link] = []
    /// Kept to reuse its storage.
    var spareActions: [PoolState.Action] = []
    /// The event whose actions are being performed.
    var event: PoolState.Event?
    var waitTimer = Timer()
    var growTimer = Timer()
    var retryTimer = Timer()
    var idleTimer = Timer()
    var shrinkTimer = Timer()
    /// The session of each connection that was ever open.
    var targets: [(connection: Int, backend: Int, session: Int)] = []
    /// Connections whose cancel request is under way, including closed ones.
    var cancelling: [Int] = []
    var lastRetirement: Moment?
    /// Consequences of the current event: a lost connection, one lost because the server was silent, a read-only
    /// server.
    var hasLost = false
    var metSilence = false
    var metReadOnly = false
    /// When there was last no memory for a batch.
    var lastShortage: Moment?
    /// Jobs of the loop.
    var inbox: [Task] = []
    var isToldClosed = false
    var isClosed = false
    /// Attempts to connect that are under way.
    var opening = 0
    /// Whether the last attempt failed.
    var hasFailedToOpen = false

    init(index: Int, limits: PoolState.Limits) {
        self.index = index
        state = PoolState(limits: limits)
    }

    func link(_ connection: Int) -> Link? {
        for link in links where link.connection == connection { return link }
        return nil
    }

    /// The earliest moment at which one of its timers expires.
    var nextExpiry: Moment {
        var first = min(waitTimer.expiry, growTimer.expiry, retryTimer.expiry, idleTimer.expiry, shrinkTimer.expiry)
        for link in links { first = min(first, link.timer.expiry) }
        return first
    }
}
