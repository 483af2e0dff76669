import Platform
import Postgres

// Connections to the database that open and close.
extension World {
    func open(_ connection: Int, _ pool: PoolDriver) {
        pool.opening += 1
        if !pool.links.isEmpty { see(.grew) }
        var duration = 2 * life.delay + dice.time(100 * .microsecond...8 * .millisecond)
        var isOverdue = false
        if now < server.slowUntil { duration += dice.time(10 * .millisecond...2 * .second) }
        let isSilent = now < server.muteUntil || now < server.deafUntil
        if isSilent || duration >= life.connectTimeout {
            isOverdue = true
            duration = life.connectTimeout
        }
        queue.schedule(
            .connectEnds(pool: pool.index, connection: connection, started: now, isOverdue: isOverdue),
            at: now + duration)
    }

    /// An attempt to connect ends on its own thread; the loop is notified.
    func connectEnds(_ pool: PoolDriver, _ connection: Int, started: Moment, isOverdue: Bool) {
        let took = now - started
        let error: DatabaseError?
        if isOverdue {
            see(.connectTimedOut)
            error = .connectFailed("timeout")
        } else if now < server.downUntil || now < server.refusesUntil {
            see(.connectRefused)
            error = .connectFailed("refused")
        } else if now < server.crowdedUntil {
            see(.connectCrowded)
            error = Faults.crowded
        } else {
            error = nil
        }
        if let error {
            pool.inbox.append(.openFailed(connection, error, took: took))
        } else {
            pool.inbox.append(
                .opened(connection, backend: openBackend(pool: pool.index, connection: connection), took: took))
        }
    }

    func opened(_ pool: PoolDriver, _ connection: Int, backend: Int, took: Moment) {
        pool.opening -= 1
        pool.hasFailedToOpen = false
        let link = Link(connection: connection, backend: backend, session: backends[backend].session)
        pool.links.append(link)
        // Replies that arrived before the loop adopted the connection.
        link.arrived.append(contentsOf: backends[backend].early)
        backends[backend].isAdopted = true
        pool.targets.append((connection, backend, backends[backend].session))
        drive(
            pool,
            .opened(connection, took: .nanoseconds(Int64(took)), isPooled: life.isPooled))
    }

    func openFailed(_ pool: PoolDriver, _ connection: Int, _ error: DatabaseError, took: Moment) {
        pool.opening -= 1
        pool.hasFailedToOpen = true
        drive(pool, .openFailed(connection, error, took: .nanoseconds(Int64(took)), jitter: dice.fraction()))
    }

    func close(_ connection: Int, _ pool: PoolDriver) {
        guard let position = pool.links.firstIndex(where: { $0.connection == connection }) else {
            return fail(.bounds, "pool \(pool.index) closes \(connection), which is not open")
        }
        let link = pool.links.remove(at: position)
        switch pool.event {
        case .timer(.idle): see(.idleRetired)
        case .timer(.shrink), .noMemory: see(.grownRetired)
        default: break
        }
        noteLoss(link)
        let backend = backends[link.backend]
        guard backend.session == link.session, backend.isOpen else { return }
        // The server still runs the statements that it was sent.
        backend.isOrphan = true
        queue.schedule(
            .batchArrives(backend: backend.index, session: backend.session, count: 0),
            at: max(now + life.delay, backend.lastArrival))
    }
}
