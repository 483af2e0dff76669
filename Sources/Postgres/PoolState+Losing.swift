import Platform

// Connections that go.
extension PoolState {
    mutating func broke(_ id: Int, _ error: DatabaseError, unsent: Int) {
        // It may be found broken twice in one iteration.
        guard let index = slots.index(of: id), slots[index].isOpen else { return }
        let certain = Array(slots[index].inFlight.suffix(unsent))
        slots[index].inFlight.removeLast(certain.count)
        for request in certain.reversed() { self.repeat(request, orFail: .connectionLost) }
        lose(id, error)
    }

    /// Gives an open connection up.
    mutating func lose(_ id: Int, _ error: DatabaseError) {
        guard let index = slots.index(of: id), slots[index].isOpen else { return }
        lostCount = min(lostCount + 1, limits.maximum)
        emit(.report(.lost(error)))
        let slot = drop(index, keepingPlace: true)
        abandon(slot, error)
        replace()
        // What the server said about all its connections holds, though this one is lost before the Sync.
        if let news = slot.refusals.first(where: { $0.isStale || $0.error.isReadOnlyServer }) {
            retireGeneration(news.error, tellingSiblings: true)
        }
        // The fault that ended one connection has probably ended others, and a read that runs again must not be sent on one of
        // those. A silent peer leaves no trace on an idle connection, so after a deadline all of them are closed.
        for other in slots.idle {
            if error == .deadlineExceeded { lose(other, error) } else { emit(.check(other, error)) }
        }
    }

    /// Closes a connection. Its place is kept, if so asked, while a cancel request is on its way.
    ///
    /// - Returns: what it was.
    private mutating func drop(_ index: Int, keepingPlace: Bool) -> Slot {
        let slot = slots[index]
        emit(.close(slot.id))
        guard keepingPlace && slot.cancellation.isOnItsWay else {
            slots.remove(index)
            return slot
        }
        slots.change(index, to: .ending(since: now))
        slots[index].inFlight = []
        slots[index].held = []
        slots[index].refusals = []
        slots[index].isBusy = false
        return slot
    }

    /// Decides about the statements in flight on a connection that was given up: reads run again, writes may have happened.
    private mutating func abandon(_ slot: Slot, _ error: DatabaseError) {
        for request in slot.inFlight.reversed() where !request.isAnswered {
            let refusal = slot.refusals.last { $0.id == request.id }
            let reason = refusal?.reason ?? .connectionLost
            if error == .deadlineExceeded && now >= request.deadline {
                fail(request, .deadlineExceeded)
            } else if refusal?.isStale == true || !request.isWrite && reason.retiresConnection {
                // Nothing is wrong with the statement: its prepared statement was outdated, so that it did nothing, the server
                // shut down, or the connection broke.
                self.repeat(request, orFail: reason)
            } else {
                fail(request, reason)
            }
        }
        for request in slot.held { fail(request, .connectionLost) }
    }

    /// What one connection met all others may meet: after a failover a server that is a standby now and takes no writes, or
    /// outdated prepared statements. They are closed as soon as nothing runs on them, and opened anew, at most once in
    /// `retirementPause`: when the server stays read-only, its reads go on being served.
    ///
    /// - Returns: whether it was time.
    @discardableResult
    mutating func retireGeneration(_ error: DatabaseError, tellingSiblings: Bool = false) -> Bool {
        guard now >= nextRetirement else { return false }
        nextRetirement = now + Self.retirementPause
        for index in slots.all.indices where slots[index].isOpen { slots[index].retirement = error }
        for id in slots.idle { lose(id, error) }
        if tellingSiblings { emit(.tellSiblings(.retired(error))) }
        return true
    }

    /// Closes the connections above the minimum that were idle for too long, the one that is idle longest first.
    mutating func closeIdle() {
        for id in slots.idle where slots.liveCount > limits.minimum {
            guard let index = slots.index(of: id), case .idle(let since) = slots[index].use,
                now >= since + limits.idleLimit
            else { continue }
            _ = drop(index, keepingPlace: false)
        }
        reportLoad()
        arm(.idle, at: now + limits.idleLimit / 4)
    }

    /// Closes idle connections whose buffers have grown, which libpq never shrinks: others are opened in their place where the minimum
    /// asks for them. One that is in use is looked at again when it becomes idle.
    ///
    /// - Returns: whether one was closed.
    @discardableResult
    mutating func closeGrown() -> Bool {
        var areClosed = false
        for id in slots.idle {
            guard let index = slots.index(of: id), slots[index].hasGrown else { continue }
            areClosed = true
            _ = drop(index, keepingPlace: false)
            replace()
        }
        return areClosed
    }

    /// The end: what is in flight is given up, and what waits is refused.
    mutating func close() {
        availability = .closing
        for timer in [Timer.wait, .grow, .retry, .idle, .shrink] { disarm(timer) }
        for slot in slots.all where slot.isOpen {
            guard let index = slots.index(of: slot.id) else { continue }
            abandon(drop(index, keepingPlace: false), .closing)
        }
        failWaiting(.closing)
    }
}

extension PoolState.Slot.Refusal {
    /// What its caller is told when the connection is lost before the Sync: the error, unless it may be the fault of another
    /// statement that ran as one with it.
    fileprivate var reason: DatabaseError { isShared && !error.retiresConnection ? .connectionLost : error }
}
