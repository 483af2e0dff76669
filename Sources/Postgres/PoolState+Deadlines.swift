import Platform

// Statements that are late, and the cancel requests that follow.
extension PoolState {
    /// Fails what is late, and has the server stop what runs: the neighbours are undone by that and run again. A server that
    /// does not react costs them the connection.
    mutating func checkDeadline(of id: Int) {
        guard let index = slots.index(of: id), slots[index].isOpen, now >= slots[index].deadline,
            slots[index].isBusy || slots[index].cancellation.isOnItsWay
        else { return }
        let hasLate = slots[index].inFlight.contains { now >= $0.deadline && !$0.isAnswered }
        // Only the end of a transaction is owed, as of reads that are to run again.
        let isEndLate =
            slots[index].cancellation.limit == nil && !isAwaited(index) && now >= slots[index].lastDeadline
        // It was moved meanwhile.
        if !hasLate && !isEndLate && now < slots[index].cancellation.limit ?? .distantFuture {
            return armDeadline(of: index)
        }
        let action = slots[index].cancellation.deadlinePassed(now: now)
        if action == .giveUp {
            // A server that has answered everything has not fallen silent: only the cancel request is overdue.
            return lose(id, slots[index].isBusy ? .deadlineExceeded : .connectionLost)
        }
        for place in slots[index].inFlight.indices {
            let request = slots[index].inFlight[place]
            guard now >= request.deadline, !request.isAnswered else { continue }
            emit(.fail(request, .deadlineExceeded))
            // What the server says of it still counts, for what shares its transaction.
            slots[index].inFlight[place].isAnswered = true
        }
        armDeadline(of: index)
        if action == .ask { emit(.requestCancel(id)) }
    }

    /// The server reacts to a cancel request: what is left has the time it was given. Where no caller is left, it only has to end.
    mutating func renewDeadline(of index: Int) {
        slots[index].cancellation.serverReacted(isAwaited: isAwaited(index), now: now)
        armDeadline(of: index)
    }

    /// Whether what is in flight has callers that were told nothing so far.
    private func isAwaited(_ index: Int) -> Bool {
        slots[index].inFlight.contains { !$0.isAnswered }
    }

    mutating func armDeadline(of index: Int) {
        setDeadline(of: index)
        emit(.arm(.connection(slots[index].id), at: slots[index].deadline))
    }

    mutating func setDeadline(of index: Int) {
        var first = Instant.distantFuture
        for request in slots[index].inFlight where !request.isAnswered { first = min(first, request.deadline) }
        if let limit = slots[index].cancellation.limit {
            first = min(first, limit)
        } else if first == .distantFuture, slots[index].isBusy {
            first = slots[index].lastDeadline
        }
        slots[index].deadline = first
    }

    mutating func cancelEnded(_ id: Int, isOverdue: Bool) {
        // It may have been closed with the pool.
        guard let index = slots.index(of: id) else { return }
        if case .ending = slots[index].use { return freePlace(index) }
        // The request may still arrive and stop whatever is sent next. The other connections stay: had the server fallen
        // silent, this one would have been given up after `Cancellation.grace`. The request has ended, so it keeps no place.
        slots[index].cancellation.requestEnded(now: now)
        if isOverdue { return lose(id, .connectionLost) }
        sendHeld(on: index)
        becomeIdle(id)
    }

    /// The server has heard that it is to stop what a connection ran that is gone, or it is not known to work on it any more.
    private mutating func freePlace(_ index: Int) {
        let wasFull = slots.all.count >= limits.maximum
        slots.remove(index)
        // While all places were kept, it may be this that the next attempt waits for.
        if case .down = availability, wasFull { tryAgain() } else { replace() }
    }
}
