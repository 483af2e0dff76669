import HTTP1
import Platform
import Vial

// Accepting clients, as `Vial.Acceptor` does.
extension World {
    /// `Acceptor.pause`.
    static let acceptPause = 20 * Moment.millisecond
    /// A client tries again when the accept queue is full.
    private static let connectPause = 30 * Moment.millisecond

    func connect(_ client: Client) {
        let index = client.index % pools.count
        guard acceptors[index].isListening else {
            client.hasFinished = true
            return note("client \(client.index) is refused")
        }
        guard acceptors[index].queue.count < life.acceptQueueLength else {
            see(.acceptQueueFull)
            note("client \(client.index) finds the accept queue full")
            return queue.schedule(.clientActs(client.index), at: now + Self.connectPause)
        }
        note("client \(client.index) connects")
        client.hasConnected = true
        client.isQueued = true
        client.connectedAt = now
        client.socket.reset(room: client.plan.window)
        acceptors[index].queue.append(client.index)
        // It may send before it is accepted.
        queue.schedule(.clientActs(client.index), at: now + client.plan.delay)
    }

    /// The acceptor's part of a loop iteration.
    func acceptClients(of pool: PoolDriver) {
        let index = pool.index
        guard acceptors[index].hasWork(at: now) else { return }
        if acceptors[index].intake != nil { return finishAccepting(index) }
        if accept(index, atMost: life.acceptBatch).lacksPlace { pauseAccepting(index) }
    }

    /// The service closes: clients in the queue are accepted, and no others.
    func beginIntake(_ index: Int) {
        acceptors[index].intake = Drain.Intake(queueLength: life.acceptQueueLength, until: course.limit)
        acceptors[index].pausedUntil = 0
    }

    private func finishAccepting(_ index: Int) {
        guard var intake = acceptors[index].intake else { return }
        let count: Int
        if let counted = acceptors[index].counted {
            acceptors[index].counted = nil
            count = counted
        } else {
            let attempt = accept(index, atMost: intake.allowance(batch: life.acceptBatch))
            if attempt.lacksPlace {
                acceptors[index].counted = attempt.count
                return pauseAccepting(index)
            }
            count = attempt.count
        }
        let step = intake.took(
            count, batch: life.acceptBatch, hasClient: !acceptors[index].queue.isEmpty, isFailing: false,
            at: now.instant)
        acceptors[index].intake = intake
        switch step {
        case .nextTurn: break
        case .pause: pauseAccepting(index)
        case .stop: stopListening(index)
        }
    }

    private func pauseAccepting(_ index: Int) {
        acceptors[index].pausedUntil = now + Self.acceptPause
        queue.schedule(.loopResumes, at: now + Self.acceptPause)
    }

    /// Accepts clients from the queue.
    ///
    /// - Returns: the number, and whether it stopped because there was no place for the next one.
    private func accept(_ index: Int, atMost limit: Int) -> (count: Int, lacksPlace: Bool) {
        var count = 0
        while count < limit, let first = acceptors[index].queue.first {
            if openConnections >= life.connectionLimit, !freePlace(for: index) {
                see(.placeMissing)
                return (count, true)
            }
            acceptors[index].queue.removeFirst()
            serve(clients[first])
            count += 1
        }
        guard acceptors[index].intake != nil, count > 0 else { return (count, false) }
        see(.acceptedWhileClosing)
        acceptors[index].lateCount += count
        if acceptors[index].lateCount > life.acceptQueueLength {
            fail(.drain, "loop \(index) goes on taking clients in while it closes: \(acceptors[index].lateCount)")
        }
        return (count, false)
    }

    /// Closes the longest idle connection, of this loop if it has one, else of another.
    private func freePlace(for index: Int) -> Bool {
        // As in `Worker.giveUpIdle`: connections that are idle then wait for their first request.
        if phase >= .closing { return false }
        for offset in 0..<pools.count {
            let loop = (index + offset) % pools.count
            let idle = clients[..<clientCount].filter {
                $0.index % pools.count == loop && $0.socket.isOpen && $0.exchange.idleDeadline != nil
            }
            for client in idle.sorted(by: { idleDeadline(of: $0) < idleDeadline(of: $1) }) {
                feed(client, .displaced)
                guard client.socket.isOpen else {
                    see(.displaced)
                    return openConnections < life.connectionLimit
                }
            }
        }
        return false
    }

    private func idleDeadline(of client: Client) -> Instant { client.exchange.idleDeadline ?? .distantFuture }

    /// A client's connection is served from now on.
    private func serve(_ client: Client) {
        openConnections += 1
        if openConnections > life.connectionLimit {
            fail(.bounds, "\(openConnections) connections of \(life.connectionLimit) are open")
        }
        client.isQueued = false
        client.idleSince = now
        client.socket.isOpen = true
        // A new watch reports what is already there.
        client.socket.hasReadEdge = client.socket.isReadable
        client.exchange = Exchange(at: now.instant, drain: phase, times)
        client.reader = .init(limits: limits)
        client.timer.arm(at: client.exchange.deadline.nanoseconds, lastLook: lastLook)
    }

    /// Clients that are left in the queue are refused.
    private func stopListening(_ index: Int) {
        acceptors[index].isListening = false
        for number in acceptors[index].queue {
            let client = clients[number]
            see(.refusedInQueue)
            note("client \(client.index) is refused in the accept queue")
            if client.connectedAt < closingStart, now < course.limit.nanoseconds {
                fail(.dropped, "client \(client.index) was in the accept queue when the service closed, and is refused")
            }
            client.isQueued = false
            client.isCut = true
            client.hasFinished = true
        }
        acceptors[index].queue.removeAll(keepingCapacity: true)
        closingAcceptors -= 1
        // The drain continues when all of them have finished.
        if closingAcceptors == 0 { queue.schedule(.drains, at: now) }
    }
}
