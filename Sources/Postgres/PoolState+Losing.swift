import Platform

// Closing connections.
extension PoolState {
    mutating func broke(_ id: Int, _ error: DatabaseError, unsent: Int) {
        // It may be found broken twice in one iteration.
        guard let index = slots.index(of: id), slots[index].isOpen else { return }
        let certain = Array(slots[index].inFlight.suffix(unsent))
        slots[index].inFlight.removeLast(certain.count)
        for request in certain.reversed() { self.repeat(request, orFail: .connectionLost) }
        lose(id, error)
    }

    /// Gives up an open connection.
    ///
    /// - Parameter checksOthers: whether idle connections are checked for the same fault; not when all of them are closed anyway.
    mutating func lose(_ id: Int, _ error: DatabaseError, checksOthers: Bool = true) {
        guard let index = slots.index(of: id), slots[index].isOpen else { return }
        lostCount = min(lostCount + 1, limits.maximum)
        emit(.report(.lost(error)))
        let slot = drop(index, keepingPlace: true)
        abandon(slot, error)
        replace()
        // An error that concerns all connections counts, although this one is lost before the Sync.
        if let news = slot.refusals.first(where: { $0.isStale || $0.error.isReadOnlyServer }) {
            retireGeneration(news.error, tellingSiblings: true)
        }
        // The fault has probably ended other connections too, and a repeated read must not be sent on one of those. A
        // silent peer leaves no trace on an idle connection, so all idle connections are closed after a deadline.
        for other in slots.idle where checksOthers {
            if error == .deadlineExceeded { lose(other, error) } else { emit(.check(other, error)) }
        }
    }

    /// Closes a connection. With `keepingPlace` its place stays taken while a cancel request is in progress.
    ///
    /// - Returns: its state before.
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

    /// Decides about statements in flight on a lost connection: reads run again; writes fail, since they may have been
    /// committed.
    private mutating func abandon(_ slot: Slot, _ error: DatabaseError) {
        for request in slot.inFlight.reversed() where !request.isAnswered {
            let refusal = slot.refusals.last { $0.id == request.id }
            let reason = refusal?.reason ?? .connectionLost
            if error == .deadlineExceeded && now >= request.deadline {
                fail(request, .deadlineExceeded)
            } else if refusal?.isStale == true || !request.isWrite && reason.retiresConnection {
                // The statement is not at fault: its prepared statement was outdated, so that it had no effect, or the
                // server shut down, or the connection broke.
                self.repeat(request, orFail: reason)
            } else {
                fail(request, reason)
            }
        }
        for request in slot.held { fail(request, .connectionLost) }
    }

    /// Handles what one connection met and all others may meet: after a failover a standby that takes no writes, or
    /// outdated prepared statements. All connections are closed as soon as nothing runs on them, and reopened, at most
    /// once per `retirementPause`: a server that stays read-only continues to serve reads.
    ///
    /// - Returns: whether the pause since the last time was over.
    @discardableResult
    mutating func retireGeneration(_ error: DatabaseError, tellingSiblings: Bool = false) -> Bool {
        guard now >= nextRetirement else { return false }
        nextRetirement = now + Self.retirementPause
        for index in slots.all.indices where slots[index].isOpen { slots[index].retirement = error }
        for id in slots.idle { lose(id, error, checksOthers: false) }
        if tellingSiblings { emit(.tellSiblings(.retired(error))) }
        return true
    }

    /// Closes connections above the minimum that have been idle for too long, the longest idle first.
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

    /// Closes idle connections with oversized buffers, which libpq never shrinks, and replaces them up to the minimum.
    /// One that is in use is checked again when it becomes idle.
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

    /// Final: gives up what is in flight, and refuses what waits.
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
    /// The error for the caller when the connection is lost before the Sync: the server's error, unless a statement
    /// merged with this one may have caused it.
    fileprivate var reason: DatabaseError { isShared && !error.retiresConnection ? .connectionLost : error }
}
