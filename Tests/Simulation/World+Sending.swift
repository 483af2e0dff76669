import Platform
import Postgres

// Sends batches and cancel requests to the server.
extension World {
    /// The longest time after which a pooler passes a cancel request on.
    private static let poolerCancelDelay = 900 * Moment.millisecond
    /// The time limit of a cancel request (`Cancellation.patience`).
    static let cancelPatience = 5 * Moment.second
    /// The pause before a refused cancel request is sent again (`LoopPool.cancelPause`).
    private static let cancelPause = 5 * Moment.millisecond
    /// Batches with more parameter bytes than this leave libpq with a large buffer (`Connection.grownByteLimit`).
    private static let grownByteLimit = 65_536

    func send(_ batch: PoolState.Batch, on connection: Int, _ pool: PoolDriver) {
        guard let link = pool.link(connection) else {
            return fail(.bounds, "pool \(pool.index) sends on \(connection), which is not open")
        }
        checkUse(batch.requests, of: link, pool)
        if life.memoryShortage > 0, link.lentTo == nil, dice.percent(life.memoryShortage) {
            see(.noMemory)
            pool.lastShortage = now
            return drive(pool, .noMemory(connection))
        }
        if life.losesAtSending > 0, dice.percent(life.losesAtSending) {
            link.isBroken = true
            if backends[link.backend].session == link.session { reset(backends[link.backend]) }
        }
        let unsent = link.isBroken ? unsentCount(of: batch.requests) : 0
        for (index, request) in batch.requests.enumerated() {
            noteSent(Int(request.id), isCertainlyUnsent: index >= batch.requests.count - unsent)
        }
        if link.isBroken {
            see(.sendFailed)
            return drive(pool, .broke(connection, .connectionLost, unsent: unsent))
        }
        transmit(batch.requests, on: link)
        link.timer.arm(at: batch.deadline.nanoseconds, lastLook: lastLook)
    }

    /// libpq finds the connection broken at some Sync; what follows that Sync was not sent.
    private func unsentCount(of requests: [PoolState.Request]) -> Int {
        var ends = [0]
        for index in requests.indices
        where index + 1 == requests.count || requests[index].isApart(from: requests[index + 1]) {
            ends.append(index + 1)
        }
        return requests.count - ends[dice.below(ends.count)]
    }

    private func noteSent(_ statement: Int, isCertainlyUnsent: Bool) {
        statements[statement].isSent = true
        statements[statement].sends += 1
        statements[statement].lastSent = now
        statements[statement].run = isCertainlyUnsent ? .undone : .open
    }

    private func transmit(_ requests: [PoolState.Request], on link: Link) {
        let backend = backends[link.backend]
        let isGone = backend.session != link.session || !backend.isOpen
        var count = 0
        var position = 0
        var hasRead = false
        var hasWrite = false
        link.hasGrown = link.hasGrown || requests.reduce(0) { $0 + $1.parameterByteCount } > Self.grownByteLimit
        while position < requests.count {
            let end = endOfGroup(from: position, in: requests)
            let start = groups.count
            for request in requests[position..<end] {
                if request.kind == .read { hasRead = true } else { hasWrite = true }
                groups.append(Int(request.id))
            }
            if end - position == 1 {
                link.expected.append(.statement(groups[start]))
                if !isGone { backend.inbox.append(.statement(groups[start])) }
            } else {
                see(.grouped)
                link.expected.append(.group(start: start, count: end - position))
                if !isGone { backend.inbox.append(.group(start: start, count: end - position)) }
            }
            count += 1
            position = end
            if end == requests.count || requests[end - 1].isApart(from: requests[end]) {
                link.expected.append(.sync)
                if !isGone { backend.inbox.append(.sync) }
                count += 1
            }
        }
        if requests.count > 1 { see(.batched) }
        if hasRead && hasWrite { see(.readsAndWritesShareBatch) }
        if !isGone { deliver(count, to: backend) }
    }

    /// The end of the statements that are merged with the one at `start`.
    private func endOfGroup(from start: Int, in requests: [PoolState.Request]) -> Int {
        var end = start + 1
        guard mayBeGrouped(requests[start]) else { return end }
        while end < requests.count, requests[end].kind == requests[start].kind, mayBeGrouped(requests[end]) { end += 1 }
        return end
    }

    private func mayBeGrouped(_ request: PoolState.Request) -> Bool {
        statements[Int(request.id)].mayBeGrouped && !request.isAlone
    }

    func requestCancel(_ connection: Int, _ pool: PoolDriver) {
        see(.cancelAsked)
        // A closed connection has no cancel key any more.
        guard let link = pool.link(connection) else {
            return pool.inbox.append(.cancelEnded(connection, isOverdue: false))
        }
        pool.cancelling.append(connection)
        link.isCancelling = true
        link.hasAskedToCancel = true
        sendCancel(connection, pool)
    }

    /// Sends a cancel request, unless too many others are under way.
    private func sendCancel(_ connection: Int, _ pool: PoolDriver) {
        if dice.percent(10) {
            see(.cancelRefused)
            return queue.schedule(
                .cancelWaits(pool: pool.index, connection: connection), at: now + Self.cancelPause)
        }
        // The connection may have been closed meanwhile.
        guard let target = pool.targets.last(where: { $0.connection == connection }) else {
            return fail(.bounds, "pool \(pool.index) cancels on \(connection), which was never open")
        }
        let isDown = now < server.downUntil || now < server.refusesUntil
        let isSilent = now < server.muteUntil || now < server.deafUntil
        if isDown {
            return queue.schedule(
                .cancelEnds(pool: pool.index, connection: connection, isOverdue: false), at: now + life.delay)
        }
        if isSilent {
            see(.cancelOverdue)
            return queue.schedule(
                .cancelEnds(pool: pool.index, connection: connection, isOverdue: true), at: now + Self.cancelPatience)
        }
        let arrival = max(now + life.delay + dice.time(10 * .microsecond...40 * .millisecond), server.heldUntil)
        let delay = life.isPooled && dice.percent(50) ? dice.time(1 * .millisecond...Self.poolerCancelDelay) : 0
        queue.schedule(.cancelArrives(backend: target.backend, session: target.session), at: arrival + delay)
        queue.schedule(
            .cancelEnds(pool: pool.index, connection: connection, isOverdue: false), at: arrival + life.delay)
    }

    /// Sends a refused cancel request again if that is still of use.
    func cancelWaits(_ connection: Int, _ pool: PoolDriver) {
        if pool.state.mayCancelAgain(connection, at: Instant(nanoseconds: now)) {
            sendCancel(connection, pool)
        } else {
            pool.inbox.append(.cancelEnded(connection, isOverdue: false))
        }
    }
}
