import Platform

// Opening connections.
extension PoolState {
    mutating func start() {
        arm(.idle, at: now + limits.idleLimit)
        refill()
    }

    /// Opens connections up to the minimum.
    private mutating func refill() {
        switch availability {
        case .unknown, .up: break
        case .down, .closing: return
        }
        let missing = min(limits.minimum - slots.liveCount, limits.maximum - slots.all.count)
        for _ in 0..<max(0, missing) { open() }
    }

    mutating func open() {
        let id = slots.add()
        precondition(
            slots.all.count <= limits.maximum || slots.liveCount == 1 && slots.all.count == limits.maximum + 1,
            "\(slots.all.count) connections with a maximum of \(limits.maximum)")
        emit(.open(id))
    }

    mutating func opened(_ id: Int, took: Duration, isPooled: Bool) {
        let index = connecting(id)
        guard availability != .closing else {
            slots.remove(index)
            return emit(.close(id))
        }
        slots[index].isPooled = isPooled
        slots.change(index, to: .idle(since: now))
        failures = 0
        isWanted = false
        // The database is available, so no pause is needed any more.
        nextAttempt = now
        availability = .up
        emit(.report(.opened(took: took)))
        if lostCount > 0 {
            lostCount -= 1
            emit(.report(.reconnected))
        }
        if reportedUp != true {
            reportedUp = true
            emit(.report(.up))
            emit(.tellSiblings(.opened))
        }
        refill()
    }

    mutating func openFailed(_ id: Int, _ error: DatabaseError, took: Duration, jitter: Double) {
        slots.remove(connecting(id))
        failures += 1
        let limit = isWanted ? Self.busyPauseLimit : Self.idlePauseLimit
        isWanted = false
        pauseJitter = jitter
        emit(.report(.openFailed(error)))
        if availability == .closing { return }
        // The attempt may have met the same fault that ended the connections before it. An attempt that timed out did
        // not.
        let isDecided = availability != .up || failures > 1 || took > Self.quickAttempt
        if slots.openCount == 0 && isDecided { goDown(error) }
        pause(atMost: limit, isCrowded: error.errorClass == .resources)
    }

    private mutating func goDown(_ error: DatabaseError) {
        // Callers need the database's error about this build's statements.
        let reason = error.errorClass == .statement ? error : .unavailable
        availability = .down(reason)
        if reportedUp != false {
            reportedUp = false
            emit(.report(.down(error)))
        }
        failWaiting(reason)
    }

    /// Delays the next attempt.
    ///
    /// - Parameter isCrowded: the server is up but out of connections.
    private mutating func pause(atMost limit: Duration, isCrowded: Bool) {
        let first = isCrowded ? Self.crowdedPause : Self.firstPause
        // Doubled at most ten times, so that the shift cannot overflow; then spread over 0…pause.
        let pause = min(limit.nanoseconds, first.nanoseconds << UInt64(min(failures - 1, 10)))
        nextAttempt = end(ofPause: pause)
        arm(.retry, at: nextAttempt)
    }

    /// When a pause of at most so many nanoseconds ends that begins now.
    private func end(ofPause pause: UInt64) -> Instant {
        now.advanced(byNanoseconds: max(Self.firstPause.nanoseconds / 2, UInt64(Double(pause) * pauseJitter)))
    }

    /// Shortens the pause in progress to `busyPauseLimit`, when the first caller of it is refused.
    @inline(never)
    mutating func callersCame() {
        isWanted = true
        let soonest = end(ofPause: Self.busyPauseLimit.nanoseconds)
        guard timers[.retry] != nil, soonest < nextAttempt else { return }
        nextAttempt = soonest
        arm(.retry, at: soonest)
    }

    /// The pause is over: opens one connection, unless one is being opened or the minimum is reached.
    mutating func tryAgain() {
        guard availability != .closing, slots.connectingCount == 0, slots.liveCount < max(1, limits.minimum) else {
            return
        }
        // The pause before it was also one for the connections that were given up.
        guard slots.all.count < limits.maximum || mayOpenBeside else { return }
        open()
    }

    /// Another pool reached the database again: no pause is needed any more, and statements wait for the attempt that
    /// is in progress or begins now.
    mutating func expectReturn() {
        guard case .down = availability else { return }
        availability = .up
        failures = 0
        guard slots.connectingCount == 0 else { return }
        let before = slots.all.count
        tryAgain()
        if slots.all.count > before { disarm(.retry) }
    }

    /// Replaces a closed connection if there are fewer than the minimum.
    mutating func replace() {
        guard availability == .up, slots.liveCount < max(1, limits.minimum), slots.all.count < limits.maximum,
            slots.connectingCount == 0
        else { return }
        open()
    }

    /// Whether one connection more than `Limits.maximum` may exist at the server: all those it counts are closed here.
    var mayOpenBeside: Bool { slots.liveCount == 0 && slots.all.count <= limits.maximum }

    private func connecting(_ id: Int) -> Int {
        guard let index = slots.index(of: id), slots[index].use == .connecting else {
            fatalError("connection \(id) opened or failed while \(uses[id].map { "\($0)" } ?? "unknown")")
        }
        return index
    }
}
