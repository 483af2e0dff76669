/// What a pool decides, without clock, socket or `await`: events go in, decisions come out. Times are nanoseconds of one
/// monotonic clock, handed in by the caller.
struct PoolState {
    /// The bounds of one pool.
    struct Limits: Equatable {
        /// Connections kept open while the database is there.
        var minimum: Int
        /// Connections open or being opened, and those that were given up while the server may still work for them. Never
        /// more, but for one beside those.
        var maximum: Int
        /// Statements that may wait: 100 batches of the longest kind are more than a request's patience covers.
        var queueLimit = 10_000
        /// Longest wait for a connection, in nanoseconds.
        var waitLimit = UInt64(Database.Options().waitTimeout) * 1_000_000
        /// A statement waiting this long shows that the open connections do not suffice: one more is opened.
        var growAfter: UInt64 = 5_000_000
        /// A connection above the minimum that did nothing for this long is closed.
        var idleLimit: UInt64 = 60_000_000_000
        /// Statements sent with one Sync: bounds how long the first of them waits for the last.
        var batchLimit = 128
        /// Rows that they may return together: bounds what their answers take in memory, which all stand there until the
        /// Sync. A statement that may return more is sent alone.
        var batchRowLimit = 1000
        /// Their parameters together: libpq keeps a buffer of twice that. A statement with more is sent alone.
        var batchParameterByteLimit = 1_048_576
    }

    enum Slot: Equatable {
        /// Being opened off the loop.
        case connecting
        /// Open, nothing in flight. May become `.busy`, `.leased` or be removed.
        case idle(since: UInt64)
        /// A batch is in flight. Becomes `.idle` or is removed.
        case busy
        /// Lent to one transaction. Becomes `.idle` or is removed.
        case leased
        /// Given up while the server may still work for it, which has not heard the cancel request yet: it still counts
        /// there, so it keeps its place. Is removed.
        case ending(since: UInt64)

        /// Open or being opened.
        var isLive: Bool { if case .ending = self { false } else { true } }
    }

    /// Whether statements are taken in.
    enum Availability: Equatable {
        /// The first attempt is not decided: statements wait.
        case unknown
        /// A connection is open, or one is being opened that should succeed: statements wait for it.
        case up
        /// No connection is open, and two attempts failed, or one that took its time: statements are refused at once.
        case down
        /// Nothing new is taken in or opened.
        case closing
    }

    /// What to do for those who wait.
    enum Next: Equatable {
        /// Send a batch on this idle connection, which counts as busy from now on.
        case use(Int)
        /// Open one more connection under this number; then ask again.
        case connect(Int)
        /// Ask again when something changes, or at this moment.
        case wait(until: UInt64?)
    }

    /// The pause before an attempt grows to this while statements come in, so that their first success comes well within a
    /// second of the server's return …
    static let busyPauseLimit: UInt64 = 500_000_000
    /// … and to this while nobody asks.
    static let idlePauseLimit: UInt64 = 5_000_000_000
    static let firstPause: UInt64 = 50_000_000
    /// The first pause when the server has no connection to give (53300): others wait for one, too.
    static let crowdedPause: UInt64 = 400_000_000
    /// An attempt that fails within this was refused or reset.
    static let quickAttempt: UInt64 = 250_000_000
    /// When all places are those of connections that were given up for so long, one more is opened: the server that does
    /// not hear of them may be gone, and another one there.
    static let endingPause: UInt64 = 500_000_000
    /// How often all connections may be opened anew because the server takes no writes.
    static let retirementPause: UInt64 = 1_000_000_000

    let limits: Limits
    private(set) var slots: [Int: Slot] = [:]
    private(set) var availability = Availability.unknown
    /// Attempts that failed since one succeeded.
    private(set) var failures = 0
    /// Statements refused since the last attempt: whether anybody is asking.
    private(set) var isWanted = false
    private var nextIdentifier = 0
    /// After a failed attempt the next one waits until then, whoever asks.
    private var nextAttempt: UInt64 = 0
    private var nextRetirement: UInt64 = 0
    /// Idle connections, the one used last at the end: it is used first, so that the others can go.
    private var idle: [Int] = []

    init(limits: Limits) {
        precondition(
            limits.minimum >= 0 && limits.maximum >= 1 && limits.minimum <= limits.maximum, "pool bounds \(limits)")
        self.limits = limits
    }

    var openCount: Int { liveCount - connectingCount }
    var idleCount: Int { idle.count }
    var inUseCount: Int { openCount - idle.count }
    private var connectingCount: Int { slots.values.reduce(0) { $1 == .connecting ? $0 + 1 : $0 } }
    private var liveCount: Int { slots.count - endingCount }
    /// Of the slots, those of connections that are gone here; rarely above 0.
    private var endingCount = 0

    /// Whether one more statement may wait beside `waiting` others; nil means yes.
    mutating func refusal(waiting: Int) -> DatabaseError? {
        switch availability {
        case .unknown, .up: return waiting < limits.queueLimit ? nil : .queueFull
        case .down:
            isWanted = true
            return .unavailable
        case .closing: return .closing
        }
    }

    /// What to do next while somebody has been waiting since `oldest`.
    mutating func next(oldest: UInt64, now: UInt64) -> Next {
        if let identifier = takeIdle(for: .busy) { return .use(identifier) }
        // One attempt at a time: a second would not be there sooner than the first.
        if availability == .closing || availability == .down || connectingCount > 0 { return .wait(until: nil) }
        if slots.count >= limits.maximum {
            guard mayOpenBeside, let first = firstEnding else { return .wait(until: nil) }
            if now < first + Self.endingPause { return .wait(until: first + Self.endingPause) }
        }
        if openCount > 0 && now < oldest + limits.growAfter { return .wait(until: oldest + limits.growAfter) }
        if now < nextAttempt { return .wait(until: nextAttempt) }
        return .connect(beginConnect())
    }

    /// Lends an idle connection to one transaction; nil when none is idle.
    mutating func lease() -> Int? {
        takeIdle(for: .leased)
    }

    /// The connections to open so that the minimum is there.
    mutating func refill() -> [Int] {
        guard availability != .closing, availability != .down else { return [] }
        let missing = min(limits.minimum - liveCount, limits.maximum - slots.count)
        return (0..<max(0, missing)).map { _ in beginConnect() }
    }

    mutating func connected(_ identifier: Int, now: UInt64) {
        precondition(slots[identifier] == .connecting, "connection \(identifier) opened while \(state(identifier))")
        failures = 0
        isWanted = false
        if availability != .closing { availability = .up }
        slots[identifier] = .idle(since: now)
        idle.append(identifier)
    }

    /// An attempt failed.
    ///
    /// - Parameters:
    ///   - took: how long the attempt was on its way.
    ///   - isCrowded: the server is there and has no connection to give.
    ///   - jitter: 0…1, evenly spread, so that a fleet does not come back in step.
    /// - Returns: when to call `retry`; nil when the pool closes.
    mutating func connectFailed(
        _ identifier: Int, took: UInt64 = 0, isCrowded: Bool = false, now: UInt64, jitter: Double
    ) -> UInt64? {
        precondition(slots[identifier] == .connecting, "connection \(identifier) failed while \(state(identifier))")
        slots[identifier] = nil
        failures += 1
        let limit = isWanted ? Self.busyPauseLimit : Self.idlePauseLimit
        isWanted = false
        if availability == .closing { return nil }
        // One attempt may have met the very fault that ended the connections before it; one that nobody answered has not.
        let isDecided = availability == .unknown || failures > 1 || took > Self.quickAttempt
        if openCount == 0 && isDecided { availability = .down }
        // Doubled at most ten times, so that the shift cannot overflow; then spread over 0…pause.
        let first = isCrowded ? Self.crowdedPause : Self.firstPause
        let pause = min(limit, first << UInt64(min(failures - 1, 10)))
        nextAttempt = now + max(Self.firstPause / 2, UInt64(Double(pause) * jitter))
        return nextAttempt
    }

    /// The pause is over: opens one connection, unless one is being opened or the minimum is there.
    mutating func retry() -> Int? {
        guard availability != .closing, connectingCount == 0, liveCount < max(1, limits.minimum) else { return nil }
        // The pause before it was one for those that were given up, too.
        guard slots.count < limits.maximum || mayOpenBeside else { return nil }
        return beginConnect()
    }

    /// Another pool has found the database again: statements wait from now on for the attempt that is on its way, or that
    /// begins now.
    ///
    /// - Returns: a connection to open, unless one is being opened.
    mutating func expectReturn() -> Int? {
        guard availability == .down else { return nil }
        availability = .up
        failures = 0
        return retry()
    }

    /// A batch was answered, or a transaction ended, and the connection is as good as before.
    mutating func finished(_ identifier: Int, now: UInt64) {
        switch slots[identifier] {
        case .busy, .leased: break
        case nil, .connecting, .idle, .ending:
            fatalError("connection \(identifier) finished while \(state(identifier))")
        }
        slots[identifier] = .idle(since: now)
        idle.append(identifier)
    }

    /// An open connection is gone.
    ///
    /// - Parameter moment: the present, when a cancel request is on its way to the server for what ran on it: then `ended`
    ///   follows. Nil: it is gone at the server, as far as anybody knows.
    /// - Returns: a connection to open at once in its place, when none is left.
    mutating func lost(_ identifier: Int, endingSince moment: UInt64? = nil) -> Int? {
        switch slots[identifier] {
        case .idle, .busy, .leased: break
        case nil, .connecting, .ending: fatalError("lost connection \(identifier) while \(state(identifier))")
        }
        idle.removeAll { $0 == identifier }
        if let moment {
            slots[identifier] = .ending(since: moment)
            endingCount += 1
        } else {
            slots[identifier] = nil
        }
        return replacement()
    }

    /// The server has heard that it is to stop what a connection ran that is gone, or it is not known to work on it any more.
    ///
    /// - Returns: as of `lost`.
    mutating func ended(_ identifier: Int) -> Int? {
        guard case .ending? = slots[identifier] else { return nil }
        let wasFull = slots.count >= limits.maximum
        slots[identifier] = nil
        endingCount -= 1
        // While all places were kept, it may be this that the next attempt waits for.
        return availability == .down && wasFull ? retry() : replacement()
    }

    private mutating func replacement() -> Int? {
        guard availability == .up, liveCount < max(1, limits.minimum), slots.count < limits.maximum,
            connectingCount == 0
        else { return nil }
        return beginConnect()
    }

    /// Whether one more than `Limits.maximum` counts at the server may be opened: all of them are gone here.
    private var mayOpenBeside: Bool { liveCount == 0 && slots.count <= limits.maximum }

    private var firstEnding: UInt64? {
        slots.values.reduce(nil) { first, slot in
            if case .ending(let since) = slot { min(first ?? .max, since) } else { first }
        }
    }

    /// Whether all connections may be opened anew, which counts as done then.
    mutating func mayRetireGeneration(now: UInt64) -> Bool {
        guard now >= nextRetirement else { return false }
        nextRetirement = now + Self.retirementPause
        return true
    }

    /// Takes out the connections above the minimum that were idle for too long; the caller closes them.
    mutating func retireIdle(now: UInt64) -> [Int] {
        var retired: [Int] = []
        for identifier in idle where liveCount > limits.minimum {
            guard case .idle(let since) = slots[identifier], now >= since + limits.idleLimit else { continue }
            slots[identifier] = nil
            retired.append(identifier)
        }
        idle.removeAll { retired.contains($0) }
        return retired
    }

    /// Takes nothing in from now on.
    mutating func close() {
        availability = .closing
    }

    private mutating func takeIdle(for slot: Slot) -> Int? {
        guard let identifier = idle.popLast() else { return nil }
        slots[identifier] = slot
        return identifier
    }

    private mutating func beginConnect() -> Int {
        nextIdentifier += 1
        slots[nextIdentifier] = .connecting
        precondition(
            slots.count <= limits.maximum || liveCount == 1 && slots.count == limits.maximum + 1,
            "\(slots.count) connections with a maximum of \(limits.maximum)")
        return nextIdentifier
    }

    private func state(_ identifier: Int) -> String {
        slots[identifier].map { "\($0)" } ?? "unknown"
    }
}
