import Platform

/// What the cancel requests of one connection mean for the statements on it, without clock or socket: events go in,
/// decisions come out.
struct Cancellation: Equatable, Sendable {
    /// What follows when a caller has waited enough.
    enum Action: Equatable {
        /// Send a cancel request.
        case ask
        /// One is on its way, or the server has time left to react to one.
        case wait
        /// The server did not react: the connection is of no use.
        case giveUp
    }

    enum Phase: Equatable, Sendable {
        /// No request was made since the connection was idle last. Becomes `asking` when a deadline passes. A pooler may pass the
        /// request before on so late that it stops what is sent now, so the moment at which that was heard is kept.
        case none(lastHeard: Instant?)
        /// A request is on its way. Nothing new is sent, which it might stop instead. Becomes `asked` when the server has heard it.
        case asking(since: Instant)
        /// The server has heard the request, and it may still stop whatever runs. Becomes `none` when nothing is in flight, and
        /// `asking` when another deadline passes.
        case asked(since: Instant, heard: Instant)
    }

    /// How long after a request was heard a statement may still be stopped by it: a pooler passes it on in its own time.
    static let lateLimit = Duration.seconds(1)
    /// The server ends a statement at its limit. The pool waits this much longer before it gives the connection up, and as long for
    /// the server's reaction to a request.
    static let grace = Duration.milliseconds(500)
    /// How long a request waits for its turn, also when its connection was given up meanwhile: what has no caller any more should
    /// not run on at the server.
    static let patience = Duration.seconds(5)

    private(set) var phase = Phase.none(lastHeard: nil)
    /// A request was made that has stopped no statement so far: it may have met a commit, whose wait for a synchronous
    /// standby it ends without an error. The server says so in a warning, but not every server may be asked to.
    private(set) var mayMeetCommit = false
    /// When the server has to have reacted, or the request to have been heard.
    private(set) var limit: Instant?

    /// Whether a request is on its way.
    var isOnItsWay: Bool { if case .asking = phase { true } else { false } }

    /// Whether a request was made since the connection was idle: it may stop another statement than the one it was meant for.
    var isOpen: Bool { if case .none = phase { false } else { true } }

    private var asked: Instant? {
        switch phase {
        case .none: nil
        case .asking(let since), .asked(let since, heard: _): since
        }
    }

    /// The deadline of a statement passed, or `limit` did.
    mutating func deadlinePassed(now: Instant) -> Action {
        if let limit, now >= limit { return .giveUp }
        mayMeetCommit = true
        if limit == nil { limit = now + Self.grace }
        if isOnItsWay { return .wait }
        phase = .asking(since: now)
        return .ask
    }

    /// Whether a request that found too many others on their way is made again.
    ///
    /// - Parameter isBusy: whether something may still run that it was made for.
    func mayAskAgain(isBusy: Bool, now: Instant) -> Bool {
        guard isBusy, let asked else { return false }
        return now < asked + Self.patience
    }

    /// The server stopped a statement: because of the request, so that it stops nothing else, unless the statement ran into
    /// its own limit.
    ///
    /// - Parameters:
    ///   - sent: when the statement was.
    ///   - ownLimit: how long the server lets a statement run; before that it stops none by itself.
    mutating func struck(sent: Instant, ownLimit: Duration, now: Instant) {
        if now < sent + ownLimit { mayMeetCommit = false }
    }

    /// The server sent something while a request was open: what is left has its own time. What has no caller any more has to end
    /// soon, and within `patience` however much the server has to say.
    mutating func serverReacted(isAwaited: Bool, now: Instant) {
        guard let asked else { return }
        limit = isAwaited ? nil : min(now + Self.grace, asked + Self.patience)
    }

    /// The request was heard by the server, or given up.
    mutating func requestEnded(now: Instant) {
        guard let asked else { return }
        phase = .asked(since: asked, heard: now)
    }

    /// Nothing is in flight.
    ///
    /// - Returns: whether something new may be sent.
    mutating func nothingRuns() -> Bool {
        switch phase {
        case .none: break
        case .asking(let since):
            limit = since + Self.patience
            return false
        case .asked(since: _, let heard): phase = .none(lastHeard: heard)
        }
        mayMeetCommit = false
        limit = nil
        return true
    }

    /// Whether a statement that the server stopped was stopped in another's place.
    ///
    /// - Parameters:
    ///   - sent: when the statement was.
    ///   - ownLimit: how long the server lets a statement run; before that it stops none by itself.
    func struckAnother(sent: Instant, ownLimit: Duration, now: Instant) -> Bool {
        switch phase {
        case .asking, .asked: true
        case .none(lastHeard: nil): false
        case .none(let heard?): now < heard + Self.lateLimit && now < sent + ownLimit
        }
    }
}
