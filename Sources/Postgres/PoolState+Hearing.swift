import Platform

// The server's answers and their effect on statements.
extension PoolState {
    /// Work that is left after one read of a connection was processed.
    private struct Outcome {
        /// Rolled back by another statement's failure.
        var undone: [Request] = []
        /// Rolled back because prepared statements are outdated.
        var stale: [Request] = []
        var staleness: DatabaseError?
        var readOnly: DatabaseError?
        var loss: DatabaseError?
    }

    mutating func hear(_ heard: [Heard], on id: Int, isBusy: Bool, hasGrown: Bool) {
        guard let index = slots.index(of: id), slots[index].isOpen else {
            fatalError("heard of connection \(id) while \(uses[id].map { "\($0)" } ?? "unknown")")
        }
        slots[index].isBusy = isBusy
        slots[index].hasGrown = hasGrown
        var outcome = Outcome()
        for next in heard where outcome.loss == nil { hear(next, on: index, &outcome) }
        if let staleness = outcome.staleness { renew(id, staleness, outcome.stale) }
        for request in outcome.undone.reversed() { repeatAlone(request) }
        if let loss = outcome.loss {
            lose(id, loss)
        } else if isBusy {
            if let index = slots.index(of: id), slots[index].cancellation.isOpen { renewDeadline(of: index) }
        } else {
            becomeIdle(id)
        }
        if let readOnly = outcome.readOnly { retireGeneration(readOnly, tellingSiblings: true) }
    }

    private mutating func hear(_ heard: Heard, on index: Int, _ outcome: inout Outcome) {
        switch heard {
        case .failed(let ids, let error, let isPrepared):
            for id in ids {
                slots[index].refusals.append(
                    .init(id: id, error: error, isPrepared: isPrepared, isShared: ids.count > 1))
            }
            noteCancellation(error, of: ids.first, on: index)
        case .commitFailed(let error):
            slots[index].commitError = error
            noteCancellation(error, of: slots[index].inFlight.first?.id, on: index)
        case .unheld(let ids):
            for id in ids { letGo(of: id, on: index, &outcome) }
        case .synced(let count, let isComplete, let wasWarned):
            endTransaction(of: count, on: index, isComplete: isComplete, wasWarned: wasWarned, &outcome)
        case .lost(let error):
            outcome.loss = error
        }
    }

    private mutating func noteCancellation(_ error: DatabaseError, of id: Request.ID?, on index: Int) {
        guard error.isCancellation else { return }
        let sent = slots[index].inFlight.first { $0.id == id }?.sent ?? Instant(nanoseconds: 0)
        slots[index].cancellation.struck(sent: sent, ownLimit: limits.statementLimit, now: now)
    }

    /// A read without memory for its result runs again, alone, when there is memory. If it already did so, it fails.
    private mutating func letGo(of id: Request.ID, on index: Int, _ outcome: inout Outcome) {
        guard let place = slots[index].inFlight.firstIndex(where: { $0.id == id }) else {
            fatalError("statement \(id) is not in flight on connection \(slots[index].id)")
        }
        let request = slots[index].inFlight.remove(at: place)
        if request.isAlone { fail(request, .outOfMemory) } else { outcome.undone.append(request) }
    }

    /// A Sync is confirmed: the next `count` statements in flight were committed or rolled back together.
    private mutating func endTransaction(
        of count: Int, on index: Int, isComplete: Bool, wasWarned: Bool, _ outcome: inout Outcome
    ) {
        let isDoubtful = wasWarned || slots[index].cancellation.mayMeetCommit
        let hasFailed = !slots[index].refusals.isEmpty || slots[index].commitError != nil
        if !hasFailed && !isDoubtful && isComplete {
            return answer(takeInFlight(count, on: index))
        }
        judge(count, on: index, isComplete: isComplete, isDoubtful: isDoubtful, &outcome)
    }

    /// As `endTransaction`, for transactions that did not simply succeed.
    private mutating func judge(
        _ count: Int, on index: Int, isComplete: Bool, isDoubtful: Bool, _ outcome: inout Outcome
    ) {
        let ids = slots[index].inFlight.prefix(count).map(\.id)
        let refusal = slots[index].refusals.first { ids.contains($0.id) }
        let commitError = slots[index].commitError
        let failure = refusal?.error ?? commitError
        let isStale = refusal?.isStale ?? commitError?.isStalePlan ?? false
        let end = TransactionEnd(
            failure: failure, isStale: isStale, count: count, isDoubtful: isDoubtful, isComplete: isComplete)
        if end == .unknown {
            outcome.loss = .unexpectedResult("a statement that was passed over, though none failed")
            return
        }
        var requests = takeInFlight(count, on: index)
        let stopped = slots[index].refusals.filter { $0.error.isCancellation && ids.contains($0.id) }.map(\.id)
        let isCommitStopped = commitError?.isCancellation == true
        slots[index].refusals.removeAll { ids.contains($0.id) }
        slots[index].commitError = nil
        switch end {
        case .decided:
            if let error = commitError ?? failure { return fail(requests, error, on: index, &outcome) }
            answer(requests)
        case .unconfirmed:
            answer(requests.filter { !$0.isWrite })
            for request in requests where request.isWrite { fail(request, .unconfirmed) }
        case .undone:
            for place in requests.indices where isCommitStopped || stopped.contains(requests[place].id) {
                requests[place].mayBeSlow = true
            }
            outcome.undone += requests
        case .stale(let error):
            outcome.stale += requests
            outcome.staleness = error
        case .unknown: break
        }
    }

    /// The only statement of a transaction failed. It is repeated if it certainly had no effect and is not at fault.
    private mutating func fail(
        _ requests: [Request], _ error: DatabaseError, on index: Int, _ outcome: inout Outcome
    ) {
        if error.isReadOnlyServer { outcome.readOnly = error }
        for request in requests where !request.isAnswered {
            let sent = request.sent ?? Instant(nanoseconds: 0)
            // The cancel request was meant for another statement, or came too late.
            if error.isCancellation && slots[index].use != .leased
                && slots[index].cancellation.struckAnother(sent: sent, ownLimit: limits.statementLimit, now: now)
            {
                self.repeat(request, orFail: error)
            } else {
                fail(request, error)
            }
        }
    }

    private mutating func answer(_ requests: [Request]) {
        var hasAnswered = false
        for index in requests.indices where requests[index].isAnswered { hasAnswered = true }
        let waiting = hasAnswered ? requests.filter { !$0.isAnswered } : requests
        if !waiting.isEmpty { emit(.answer(waiting)) }
    }

    private mutating func takeInFlight(_ count: Int, on index: Int) -> [Request] {
        precondition(
            count <= slots[index].inFlight.count,
            "\(count) statements ended of \(slots[index].inFlight.count) on connection \(slots[index].id)")
        if count == slots[index].inFlight.count {
            var taken: [Request] = []
            swap(&taken, &slots[index].inFlight)
            return taken
        }
        let taken = Array(slots[index].inFlight.prefix(count))
        slots[index].inFlight.removeFirst(count)
        return taken
    }

    /// The prepared statements of this connection are outdated, and probably those of all others: all connections are
    /// reopened, and statements that had no effect run on another one.
    private mutating func renew(_ id: Int, _ error: DatabaseError, _ undone: [Request]) {
        let isNews = retireGeneration(error, tellingSiblings: true)
        guard let index = slots.index(of: id) else { fatalError("connection \(id) is gone while it is heard") }
        // This connection is useless, even if the others were reopened recently.
        if error.isStalePlan { slots[index].retirement = error }
        let isRetired = isNews || slots[index].retirement != nil
        for request in undone.reversed() where !request.isAnswered {
            switch TransactionEnd.Repeat(
                isConnectionRetired: isRetired, isAlone: request.isAlone, count: undone.count)
            {
            case .elsewhere: self.repeat(request, orFail: error)
            case .alone: repeatAlone(request)
            case .none: fail(request, error)
            }
        }
    }

    /// Nothing is in flight: the connection serves the next batch, unless a cancel request is in progress or the
    /// connection is lent or retired.
    mutating func becomeIdle(_ id: Int) {
        guard let index = slots.index(of: id), !slots[index].isBusy else { return }
        guard slots[index].cancellation.nothingRuns() else { return armDeadline(of: index) }
        if slots[index].hasGrown, timers[.shrink] == nil { arm(.shrink, at: now + Self.shrinkPause) }
        switch slots[index].use {
        case .batch:
            if let retirement = slots[index].retirement { return lose(id, retirement) }
            slots.change(index, to: .idle(since: now))
        case .leased, .idle: break
        case .connecting, .ending: fatalError("connection \(id) would become idle while \(slots[index].use)")
        }
    }
}
