import HTTP1
import Postgres
import Vial

// The start of a schedule.
extension World {
    /// Sets everything up for the schedule of a seed, and reuses the storage of the previous one.
    func prepare(seed: UInt64) {
        self.seed = seed
        dice = Dice(seed: seed)
        life.draw(from: &dice)
        now = Moment.second
        queue.removeAll()
        server = Server()
        statements.removeAll(keepingCapacity: true)
        groups.removeAll(keepingCapacity: true)
        calls.removeAll(keepingCapacity: true)
        yielded.removeAll(keepingCapacity: true)
        for backend in backends {
            backend.isOpen = false
            backend.isAdopted = true
        }
        seen = SightSet()
        steps = 0
        requestCount = 0
        failure = nil
        pausedUntil = 0
        pausedTime = 0
        lastLook = now
        phase = .serving
        course = Drain.Course(delay: life.drainDelay.duration, timeout: life.drainTimeout.duration)
        closingStart = 0
        openConnections = 0
        acceptors = Array(repeating: Acceptor(), count: life.pools)
        closingAcceptors = 0
        times = Exchange.Times(
            keepAlive: life.keepAliveTimeout.duration, head: life.headerTimeout.duration,
            body: life.bodyTimeout.duration,
            response: (life.requestTimeout + Self.responseGrace).duration, write: life.writeTimeout.duration)
        while clients.count < life.clients.count { clients.append(Client(index: clients.count)) }
        clientCount = life.clients.count
        for index in 0..<clientCount {
            connectionCount += 1
            clients[index].begin(life.clients[index], connection: connectionCount)
        }
    }

    func start() {
        pools = (0..<life.pools).map { index in
            var limits = PoolState.Limits(minimum: life.minimum, maximum: life.maximum)
            limits.queueLimit = life.queueLimit
            limits.waitLimit = .nanoseconds(Int64(life.waitTimeout))
            limits.statementLimit = .nanoseconds(Int64(life.statementTimeout))
            limits.idleLimit = .nanoseconds(Int64(life.idleLimit))
            limits.batchLimit = life.batchLimit
            return PoolDriver(index: index, limits: limits)
        }
        for pool in pools { drive(pool, .started) }
        for client in clients[..<clientCount] {
            queue.schedule(.clientActs(client.index), at: now + client.plan.start)
            if client.plan.farewell == .resets || client.plan.farewell == .leaves {
                queue.schedule(.clientEnds(client.index), at: now + client.plan.end)
            }
        }
        for (index, incident) in life.incidents.enumerated() {
            queue.schedule(.incidentBegins(index), at: now + incident.moment)
        }
        queue.schedule(.drains, at: now + life.drainStart)
    }
}
