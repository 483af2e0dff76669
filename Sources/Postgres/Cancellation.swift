/// What the cancel requests of one connection mean for the statements on it, without clock or socket: events go in,
/// decisions come out. Times are nanoseconds of one monotonic clock.
struct Cancellation {
    /// What follows when somebody has waited enough.
    enum Action: Equatable {
        /// Send a cancel request.
        case ask
        /// One is on its way, or the server has time left to react to one.
        case wait
        /// The server did not react: the connection is of no use.
        case giveUp
    }

    /// How long after a request arrived a statement may still be stopped by it: a pooler passes it on in its own time.
    static let lateLimit: UInt64 = 1_000_000_000

    /// A request is on its way. Until it has arrived nothing new is sent, which it might stop instead.
    private(set) var isOnItsWay = false
    /// A request was made since the connection was idle: it may stop another statement than the one it was meant for.
    private(set) var isOpen = false
    /// A request was made that has stopped no statement so far: it may have met a commit, whose wait for a synchronous
    /// standby it ends without an error. The server says so in a warning, but not every server may be asked to.
    private(set) var mayMeetCommit = false
    /// When the server has to have reacted, or the request to have arrived.
    private(set) var limit: UInt64?
    private var asked: UInt64 = 0
    private var arrived: UInt64?

    /// The deadline of a statement passed, or `limit` did.
    mutating func deadlinePassed(now: UInt64) -> Action {
        if let limit, now >= limit { return .giveUp }
        isOpen = true
        mayMeetCommit = true
        if limit == nil { limit = now + Pool.cancelGrace }
        if isOnItsWay { return .wait }
        isOnItsWay = true
        asked = now
        return .ask
    }

    /// The server stopped a statement: because of the request, so that it stops nothing else, unless the statement ran into
    /// its own limit.
    ///
    /// - Parameters:
    ///   - sent: when the statement was.
    ///   - ownLimit: how long the server lets a statement run; before that it stops none by itself.
    mutating func struck(sent: UInt64, ownLimit: UInt64, now: UInt64) {
        if now < sent + ownLimit { mayMeetCommit = false }
    }

    /// The server sent something while a request was open: what is left has its own time, and what nobody waits for has to
    /// end soon, and in `Pool.cancelPatience` however much the server has to say.
    mutating func serverReacted(isAwaited: Bool, now: UInt64) {
        limit = isAwaited ? nil : min(now + Pool.cancelGrace, asked + Pool.cancelPatience)
    }

    /// The request was heard by the server, or given up.
    mutating func requestEnded(now: UInt64) {
        isOnItsWay = false
        arrived = now
    }

    /// Nothing is in flight.
    ///
    /// - Returns: whether something new may be sent.
    mutating func nothingRuns() -> Bool {
        guard isOnItsWay else {
            isOpen = false
            mayMeetCommit = false
            limit = nil
            return true
        }
        limit = asked + Pool.cancelPatience
        return false
    }

    /// Whether a statement that the server stopped was stopped in another's place.
    ///
    /// - Parameters:
    ///   - sent: when the statement was.
    ///   - ownLimit: how long the server lets a statement run; before that it stops none by itself.
    func struckAnother(sent: UInt64, ownLimit: UInt64, now: UInt64) -> Bool {
        if isOpen { return true }
        guard let arrived else { return false }
        return now < arrived + Self.lateLimit && now < sent + ownLimit
    }
}
