import Postgres
import Vial

// Virtual time and the event loops. An iteration follows the order of `Reactor.EventLoop`: events are reported,
// deadlines that had expired before fire, connections that yielded continue, jobs run, and at the end the pool sends.
extension World {
    /// More iterations than this in a row mean that a loop never becomes idle.
    private static let turnLimit = 2000
    private static let stepLimit = 200_000

    func run() {
        start()
        while failure == nil {
            if hasEnded { break }
            steps += 1
            if steps > Self.stepLimit { fail(.late, "it does not come to an end") }
            guard let next = nextMoment else { break }
            now = max(now, next)
            while let event = queue.popFirst(until: now) { happen(event) }
            if now < pausedUntil { continue }
            runLoops()
        }
        if failure == nil { checkEnd() }
    }

    /// The moment of the next event or timer.
    private var nextMoment: Moment? {
        var next = queue.nextMoment ?? .max
        var wake = Moment.max
        for pool in pools { wake = min(wake, pool.nextExpiry) }
        for client in clients[..<clientCount] { wake = min(wake, client.timer.expiry) }
        if wake < .max { next = min(next, max(wake, pausedUntil)) }
        return next == .max ? nil : next
    }

    private func runLoops() {
        var turns = 0
        while failure == nil, hasWork {
            turns += 1
            if turns > Self.turnLimit { return fail(.late, "a loop does not come to rest") }
            for pool in pools { turn(pool) }
            // An iteration takes time.
            now += 2 * .microsecond
            while let event = queue.popFirst(until: now) { happen(event) }
            if now < pausedUntil { return }
        }
        if failure == nil { checkRest() }
    }

    private var hasWork: Bool {
        if !yielded.isEmpty { return true }
        for acceptor in acceptors where acceptor.hasWork(at: now) { return true }
        for pool in pools {
            if !pool.inbox.isEmpty || pool.state.hasWork || pool.nextExpiry <= now { return true }
            for link in pool.links where link.isReadable { return true }
        }
        for client in clients[..<clientCount] {
            if client.socket.isOpen, !client.socket.isReported || client.timer.expiry <= now { return true }
        }
        return false
    }

    private func turn(_ pool: PoolDriver) {
        reportEvents(of: pool)
        fire(pool)
        resumeYielded(of: pool)
        runJobs(of: pool)
        acceptClients(of: pool)
        endIteration(of: pool)
    }

    private func reportEvents(of pool: PoolDriver) {
        // The kernel reports ready descriptors in any order.
        let areLinksFirst = !pool.links.isEmpty && dice.percent(50)
        if areLinksFirst { reportLinks(of: pool) }
        let first = dice.below(clientCount)
        for offset in 0..<clientCount {
            let client = clients[(first + offset) % clientCount]
            guard client.index % pools.count == pool.index, client.socket.isOpen else { continue }
            // One epoll_wait may return only some of the events; the others follow with the next.
            if life.isReportLate, dice.percent(20) { continue }
            report(client)
        }
        if !areLinksFirst { reportLinks(of: pool) }
    }

    private func reportLinks(of pool: PoolDriver) {
        // A connection that an earlier event has closed is not reported.
        for link in pool.links where link.isReadable && pool.link(link.connection) === link {
            if life.isReportLate, dice.percent(20) { continue }
            report(link, pool)
        }
    }

    private func report(_ client: Client) {
        guard client.socket.hasReadEdge || client.socket.hasWriteEdge else { return }
        let isRead = client.socket.hasReadEdge
        let hasFailed = client.socket.isReset
        client.socket.hasReadEdge = false
        client.socket.hasWriteEdge = false
        if client.socket.hasEnd || hasFailed { client.socket.isHungUp = true }
        if isRead {
            client.socket.mayRead = true
            feed(client, .readable)
        }
        guard client.socket.isOpen else { return }
        // An edge of one direction reports both.
        if !client.socket.mayWrite, client.socket.room > 0 || hasFailed {
            client.socket.mayWrite = true
            feed(client, .writable)
        }
    }

    /// Fires the deadlines that the previous look found expired, then looks for expired ones.
    private func fire(_ pool: PoolDriver) {
        for client in clients[..<clientCount] where client.index % pools.count == pool.index {
            if client.socket.isOpen, client.timer.fire() { feed(client, .expired) }
        }
        for link in pool.links where pool.link(link.connection) === link && link.timer.fire() {
            drive(pool, .timer(.connection(link.connection)))
        }
        if pool.waitTimer.fire() { drive(pool, .timer(.wait)) }
        if pool.growTimer.fire() { drive(pool, .timer(.grow)) }
        if pool.retryTimer.fire() { drive(pool, .timer(.retry)) }
        if pool.idleTimer.fire() { drive(pool, .timer(.idle)) }
        if pool.shrinkTimer.fire() { drive(pool, .timer(.shrink)) }
        look(pool)
    }

    private func look(_ pool: PoolDriver) {
        lastLook = now
        for client in clients[..<clientCount] where client.index % pools.count == pool.index {
            _ = client.timer.look(at: now)
        }
        for link in pool.links { _ = link.timer.look(at: now) }
        _ = pool.waitTimer.look(at: now)
        _ = pool.growTimer.look(at: now)
        _ = pool.retryTimer.look(at: now)
        _ = pool.idleTimer.look(at: now)
        _ = pool.shrinkTimer.look(at: now)
    }

    private func resumeYielded(of pool: PoolDriver) {
        guard !yielded.isEmpty else { return }
        let waiting = yielded.filter { $0 % pools.count == pool.index }
        yielded.removeAll { $0 % pools.count == pool.index }
        for index in waiting where clients[index].socket.isOpen { feed(clients[index], .turnCame) }
    }

    private func runJobs(of pool: PoolDriver) {
        var position = 0
        while position < pool.inbox.count, failure == nil {
            let task = pool.inbox[position]
            position += 1
            switch task {
            case .cancelEnded(let connection, let isOverdue):
                pool.cancelling.removeAll { $0 == connection }
                pool.link(connection)?.isCancelling = false
                drive(pool, .cancelEnded(connection, isOverdue: isOverdue))
                if isOverdue, pool.link(connection) != nil {
                    fail(.cancelRace, "connection \(connection) serves on, and a cancel request may reach it yet")
                }
            case .opened(let connection, let backend, let took): opened(pool, connection, backend: backend, took: took)
            case .openFailed(let connection, let error, let took): openFailed(pool, connection, error, took: took)
            case .sibling(.opened): drive(pool, .siblingOpened)
            case .sibling(.retired(let error)):
                noteSiblingRetirement(pool)
                drive(pool, .siblingRetired(error))
            case .lent(let connection, let call): lent(connection, to: call)
            case .refused(let call, let error): refused(call, error)
            case .ended(let statement, let error): transactionGoesOn(statement, error)
            case .drainChanged:
                for client in clients[..<clientCount] where client.index % pools.count == pool.index {
                    if client.socket.isOpen { feed(client, .drainChanged) }
                }
            case .finishAccepting: beginIntake(pool.index)
            case .closing: drive(pool, .closing)
            case .closed:
                pool.isClosed = true
                drive(pool, .closed)
            }
        }
        pool.inbox.removeAll(keepingCapacity: true)
    }

    // MARK: what happens

    private func happen(_ event: Event) {
        switch event {
        case .clientActs(let index): clientActs(clients[index])
        case .clientTakes(let index): clientTakes(clients[index])
        case .clientEnds(let index): clientEnds(clients[index])
        case .batchArrives(let index, let session, let count):
            if backends[index].session == session { batchArrives(backends[index], count) }
        case .replyArrives(let index, let session, let reply): replyArrives(backends[index], session, reply)
        case .workEnds(let index, let number):
            if backends[index].workNumber == number { workEnds(backends[index]) }
        case .connectEnds(let pool, let connection, let started, let isOverdue):
            connectEnds(pools[pool], connection, started: started, isOverdue: isOverdue)
        case .cancelArrives(let index, let session):
            if backends[index].session == session { cancelArrives(at: backends[index], isByService: true) }
        case .cancelEnds(let pool, let connection, let isOverdue):
            pools[pool].inbox.append(.cancelEnded(connection, isOverdue: isOverdue))
        case .cancelWaits(let pool, let connection): cancelWaits(connection, pools[pool])
        case .taskEnds(let call): taskEnds(call)
        case .incidentBegins(let index): begin(life.incidents[index])
        case .standbyReturns: standbyReturns()
        case .drains: drains()
        case .poolsClose: closePools()
        case .loopResumes: break
        }
    }

    private func replyArrives(_ backend: Backend, _ session: Int, _ reply: Backend.Reply) {
        guard backend.session == session else { return }
        for link in pools[backend.pool].links where link.connection == backend.connection {
            if link.isBroken { return }
            link.arrived.append(reply)
            if case .reset = reply { link.isBroken = true }
            return
        }
        if !backend.isAdopted { backend.early.append(reply) }
    }
}
