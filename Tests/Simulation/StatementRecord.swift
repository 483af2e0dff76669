/// One statement that a handler has asked for: what it is, how it fares, and the truth about it.
struct StatementRecord {
    enum Kind {
        case read, insert, update
        case begin, commit, rollback

        var isWrite: Bool { self != .read }
    }

    /// What the service can know of its last run.
    enum Run {
        case none
        /// Sent; it may have happened.
        case open
        /// It certainly did not happen: not sent, or undone by a transaction whose Sync is confirmed.
        case undone
        case confirmed
    }

    var kind = Kind.read
    /// Of `World.calls`.
    var call = 0
    var pool = 0
    var mayBeGrouped = false
    var plan = Life.StatementPlan()
    var submitted: Moment = 0
    var deadline: Moment = 0
    var isSent = false
    var sends = 0
    var lastSent: Moment = 0
    /// By a cancel request of the service, the last time.
    var isStoppedByService = false
    var run = Run.none
    /// By the server: so often did it run, and so often was it committed.
    var runs = 0
    var commits = 0
    /// It was committed, and the wait for the standby was cut short.
    var isDoubtful = false
    var isAnswered = false
}
