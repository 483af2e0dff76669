import Postgres

// Converts the server's replies into `PoolState.Heard`.
extension World {
    /// The loop reports that a connection to the database is readable.
    func report(_ link: Link, _ pool: PoolDriver) {
        // The reset may come after the read and before an attempt to send what the socket did not take at first.
        let isFoundBySending = link.isBroken && link.isBusy && dice.percent(20)
        if isFoundBySending {
            link.isBroken = false
            if case .reset? = link.arrived.last { link.arrived.removeLast() }
        }
        read(link, pool)
        guard isFoundBySending, pool.link(link.connection) === link else { return }
        see(.pushFailed)
        link.isBroken = true
        drive(pool, .broke(link.connection, .connectionLost, unsent: 0))
    }

    /// Reads everything that the kernel holds for a connection.
    private func read(_ link: Link, _ pool: PoolDriver) {
        var heard: [PoolState.Heard] = []
        var isLost = false
        for reply in link.arrived where !isLost { hear(reply, link, into: &heard, &isLost) }
        link.arrived.removeAll(keepingCapacity: true)
        if link.isBroken && !isLost { heard.append(.lost(.connectionLost)) }
        let isBusy = link.isBusy
        if !isBusy {
            link.expected.removeAll(keepingCapacity: true)
            link.answered = 0
        }
        drive(pool, .heard(link.connection, heard, isBusy: isBusy, hasGrown: link.hasGrown))
    }

    private func hear(_ reply: Backend.Reply, _ link: Link, into heard: inout [PoolState.Heard], _ isLost: inout Bool) {
        switch reply {
        case .warning: link.wasWarned = !life.hidesWarnings
        case .reset:
            isLost = true
            heard.append(.lost(.connectionLost))
        case .goodbye(let fault):
            isLost = true
            let error = Faults.error(fault)
            guard link.isBusy else { return heard.append(.lost(.connectionLost)) }
            if let members = members(of: link.expected[link.answered]) {
                heard.append(.failed(members.map { UInt64($0) }, error, isPrepared: life.isPrepared))
            }
            heard.append(.lost(error))
        case .commitFailed(let fault):
            link.hasFailed = true
            heard.append(.commitFailed(Faults.error(fault)))
        case .done, .passedOver, .failed:
            guard link.isBusy, let members = members(of: link.expected[link.answered]) else {
                fatalError("an answer where none is due")
            }
            link.answered += 1
            link.inTransaction.append(contentsOf: members)
            heardOf(reply, members, link, into: &heard)
        case .synced:
            guard link.isBusy, case .sync = link.expected[link.answered] else { fatalError("a Sync where none is due") }
            link.answered += 1
            endTransaction(link, into: &heard)
        }
    }

    private func members(of expected: Link.Expected) -> ArraySlice<Int>? {
        switch expected {
        case .statement(let statement): [statement]
        case .group(let start, let count): groups[start..<start + count]
        case .sync: nil
        }
    }

    private func heardOf(
        _ reply: Backend.Reply, _ members: ArraySlice<Int>, _ link: Link, into heard: inout [PoolState.Heard]
    ) {
        switch reply {
        case .failed(let fault):
            link.hasFailed = true
            // Its transaction can no longer commit, whether or not the Sync is confirmed.
            for member in members { statements[member].run = .undone }
            heard.append(.failed(members.map { UInt64($0) }, Faults.error(fault), isPrepared: life.isPrepared))
        case .passedOver: link.isComplete = false
        case .done:
            guard let first = members.first else { return }
            switch statements[first].kind {
            case .begin: link.isInBlock = true
            case .commit, .rollback: link.isInBlock = false
            case .read where life.memoryShortage > 0 && link.lentTo == nil && dice.percent(life.memoryShortage):
                see(.unheld)
                link.inTransaction.removeLast(members.count)
                for member in members { statements[member].run = .undone }
                return heard.append(.unheld(members.map { UInt64($0) }))
            case .read, .insert, .update: break
            }
            for member in members { statements[member].hasResult = true }
        case .warning, .synced, .goodbye, .reset, .commitFailed: break
        }
    }

    private func endTransaction(_ link: Link, into heard: inout [PoolState.Heard]) {
        for statement in link.inTransaction { statements[statement].run = link.hasFailed ? .undone : .confirmed }
        heard.append(
            .synced(count: link.inTransaction.count, isComplete: link.isComplete, wasWarned: link.wasWarned))
        link.inTransaction.removeAll(keepingCapacity: true)
        link.isComplete = true
        link.wasWarned = false
        link.hasFailed = false
    }
}
