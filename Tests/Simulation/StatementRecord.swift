/// One statement of a handler: its request, what the pool knows about it, and what the server did.
struct StatementRecord {
    enum Kind {
        case read, insert, update
        case begin, commit, rollback

        var isWrite: Bool { self != .read }
    }

    /// What the service can know about its last run.
    enum Run {
        case none
        /// Sent; it may have taken effect.
        case open
        /// It certainly had no effect: not sent, or rolled back by a transaction whose Sync is confirmed.
        case undone
        case confirmed
    }

    var kind = Kind.read
    /// An index into `World.calls`.
    var call = 0
    var pool = 0
    var mayBeGrouped = false
    var plan = Life.StatementPlan()
    var submitted: Moment = 0
    var deadline: Moment = 0
    var isSent = false
    var sends = 0
    var lastSent: Moment = 0
    /// Whether its last run was stopped by a cancel request of the service.
    var isStoppedByService = false
    var run = Run.none
    /// Number of times the server ran it, and committed it.
    var runs = 0
    var commits = 0
    /// Whether it was committed and the wait for the standby was cancelled.
    var isDoubtful = false
    /// Whether the pool has rows for it that a Sync has yet to confirm.
    var hasResult = false
    var isAnswered = false
}
