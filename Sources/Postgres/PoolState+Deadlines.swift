import Platform

// Overdue statements and their cancel requests.
extension PoolState {
    /// Fails overdue statements and requests cancellation of what runs: the neighbours are rolled back by that and run
    /// again. If the server does not react, the connection is given up.
    mutating func checkDeadline(of id: Int) {
        guard let index = slots.index(of: id), slots[index].isOpen, now >= slots[index].deadline,
            slots[index].isBusy || slots[index].cancellation.isOnItsWay
        else { return }
        let hasLate = slots[index].inFlight.contains { now >= $0.deadline && !$0.isAnswered }
        // Only the end of a transaction is outstanding, for instance after reads that are to run again.
        let isEndLate =
            slots[index].cancellation.limit == nil && !isAwaited(index) && now >= slots[index].lastDeadline
        // The deadline was moved meanwhile.
        if !hasLate && !isEndLate && now < slots[index].cancellation.limit ?? .distantFuture {
            return armDeadline(of: index)
        }
        let action = slots[index].cancellation.deadlinePassed(now: now)
        if action == .giveUp {
            // A server that has answered everything still responds: only the cancel request is overdue.
            return lose(id, slots[index].isBusy ? .deadlineExceeded : .connectionLost)
        }
        for place in slots[index].inFlight.indices {
            let request = slots[index].inFlight[place]
            guard now >= request.deadline, !request.isAnswered else { continue }
            emit(.fail(request, .deadlineExceeded))
            // The server's answer still decides about the statements in the same transaction.
            slots[index].inFlight[place].isAnswered = true
        }
        armDeadline(of: index)
        if action == .ask { emit(.requestCancel(id)) }
    }

    /// The server reacted to a cancel request, so the remaining statements keep their own deadlines. If no caller is
    /// left, they only have to end.
    mutating func renewDeadline(of index: Int) {
        slots[index].cancellation.serverReacted(isAwaited: isAwaited(index), now: now)
        armDeadline(of: index)
    }

    /// Whether a statement in flight has a caller that is not answered yet.
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
        // The request may still arrive and stop a later statement. The other connections stay: if the server were
        // silent, this one would have been given up after `Cancellation.grace`. The request has ended, so it keeps no
        // place.
        slots[index].cancellation.requestEnded(now: now)
        if isOverdue { return lose(id, .connectionLost) }
        sendHeld(on: index)
        becomeIdle(id)
    }

    /// The server has received the cancel request of a closed connection, or is no longer known to work for it.
    private mutating func freePlace(_ index: Int) {
        let wasFull = slots.all.count >= limits.maximum
        slots.remove(index)
        // While all places were taken, the next attempt may have been waiting for this one.
        if case .down = availability, wasFull { tryAgain() } else { replace() }
    }
}
