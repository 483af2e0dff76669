import Postgres

/// Drives the `PoolState` of one loop as `Postgres.Pool` does: hands events in, performs the actions in their order.
final class PoolDriver {
    enum Task {
        case cancelEnded(Int, isOverdue: Bool)
        case opened(Int, backend: Int, took: Moment)
        case openFailed(Int, DatabaseError, took: Moment)
        case sibling(PoolState.SiblingNews)
        case drainChanged, closing, closed
    }

    let index: Int
    var state: PoolState
    var links: [Link] = []
    /// To be performed, the first `performed` of them are.
    var actions: [PoolState.Action] = []
    var performed = 0
    var isPerforming = false
    /// What the present event has it close.
    var closesIdle = false
    var closesGrown = false
    var waitTimer = Timer()
    var growTimer = Timer()
    var retryTimer = Timer()
    var idleTimer = Timer()
    var shrinkTimer = Timer()
    /// Which session each connection had that was ever open.
    var targets: [(connection: Int, backend: Int, session: Int)] = []
    /// Connections whose cancel request is on its way, also when they are gone.
    var cancelling: [Int] = []
    var lastRetirement: Moment?
    /// Of the present event: a connection was lost, one because the server did not answer, a server takes no writes.
    var hasLost = false
    var metSilence = false
    var metReadOnly = false
    /// When there was no memory for a batch.
    var lastShortage: Moment?
    /// What other threads have queued for the loop.
    var inbox: [Task] = []
    var isToldClosed = false
    var isClosed = false
    /// Attempts to connect that are on their way.
    var opening = 0
    /// The last attempt did.
    var hasFailedToOpen = false
    var everFailedToOpen = false

    init(index: Int, limits: PoolState.Limits) {
        self.index = index
        state = PoolState(limits: limits)
    }

    func link(_ connection: Int) -> Link? {
        for link in links where link.connection == connection { return link }
        return nil
    }

    /// The first moment at which one of its timers expires.
    var nextExpiry: Moment {
        var first = min(waitTimer.expiry, growTimer.expiry, retryTimer.expiry, idleTimer.expiry, shrinkTimer.expiry)
        for link in links { first = min(first, link.timer.expiry) }
        return first
    }
}
