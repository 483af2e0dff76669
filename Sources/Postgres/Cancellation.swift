import Platform

/// The effect of one connection's cancel requests on its statements, without clock or socket: events go in, decisions
/// come out.
struct Cancellation: Equatable, Sendable {
    /// What to do when a deadline has passed.
    enum Action: Equatable {
        /// Send a cancel request.
        case ask
        /// A request is in progress, or the server still has time to react to one.
        case wait
        /// The server did not react: the connection is unusable.
        case giveUp
    }

    enum Phase: Equatable, Sendable {
        /// No request since the connection was last idle. Becomes `asking` when a deadline passes. A pooler may forward
        /// the previous request so late that it stops a newer statement, so the time of its delivery is kept.
        case none(lastHeard: Instant?)
        /// A request is in progress. Nothing new is sent, because the request might stop it instead. Becomes `asked`
        /// when the server has received the request.
        case asking(since: Instant)
        /// The server has received the request and may still stop whatever runs. Becomes `none` when nothing is in
        /// flight, and `asking` when another deadline passes.
        case asked(since: Instant, heard: Instant)
    }

    /// How long after its delivery a request may still stop a statement: a pooler forwards it with delay.
    static let lateLimit = Duration.seconds(1)
    /// The server ends a statement at its own limit. The pool waits this much longer before it gives up the connection,
    /// and as long for a reaction to a cancel request.
    static let grace = Duration.milliseconds(500)
    /// How long a request may wait to be sent, even if its connection was given up: a statement without a caller should
    /// not keep running on the server.
    static let patience = Duration.seconds(5)

    private(set) var phase = Phase.none(lastHeard: nil)
    /// A request was made that has not stopped a statement so far. It may have hit a commit, whose wait for a
    /// synchronous standby it ends without an error. The server reports this in a warning, but not every server may be
    /// configured to send it.
    private(set) var mayMeetCommit = false
    /// When the server must have reacted, or must have received the request.
    private(set) var limit: Instant?

    /// Whether a request is in progress.
    var isOnItsWay: Bool { if case .asking = phase { true } else { false } }

    /// Whether a request was made since the connection was idle: it may stop another statement than the intended one.
    var isOpen: Bool { if case .none = phase { false } else { true } }

    private var asked: Instant? {
        switch phase {
        case .none: nil
        case .asking(let since), .asked(let since, heard: _): since
        }
    }

    /// The deadline of a statement, or `limit`, has passed.
    mutating func deadlinePassed(now: Instant) -> Action {
        if let limit, now >= limit { return .giveUp }
        mayMeetCommit = true
        if limit == nil { limit = now + Self.grace }
        if isOnItsWay { return .wait }
        phase = .asking(since: now)
        return .ask
    }

    /// Whether to repeat a request that was refused because too many others were in progress.
    ///
    /// - Parameter isBusy: whether a statement that it was made for may still run.
    func mayAskAgain(isBusy: Bool, now: Instant) -> Bool {
        guard isBusy, let asked else { return false }
        return now < asked + Self.patience
    }

    /// The server stopped a statement: because of the request, which then stops nothing else, unless the statement
    /// reached its own limit.
    ///
    /// - Parameters:
    ///   - sent: when the statement was sent.
    ///   - ownLimit: the server's statement timeout, before which it stops no statement by itself.
    mutating func struck(sent: Instant, ownLimit: Duration, now: Instant) {
        if now < sent + ownLimit { mayMeetCommit = false }
    }

    /// The server sent something while a request was open, so the remaining statements keep their own deadlines.
    /// Without callers they must end soon: within `patience`, however much the server sends.
    mutating func serverReacted(isAwaited: Bool, now: Instant) {
        guard let asked else { return }
        limit = isAwaited ? nil : min(now + Self.grace, asked + Self.patience)
    }

    /// The server received the request, or the request was given up.
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

    /// Whether the request that stopped a statement was meant for another one.
    ///
    /// - Parameters:
    ///   - sent: when the statement was sent.
    ///   - ownLimit: the server's statement timeout, before which it stops no statement by itself.
    func struckAnother(sent: Instant, ownLimit: Duration, now: Instant) -> Bool {
        switch phase {
        case .asking, .asked: true
        case .none(lastHeard: nil): false
        case .none(let heard?): now < heard + Self.lateLimit && now < sent + ownLimit
        }
    }
}
