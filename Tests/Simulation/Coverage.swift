/// A fault, or a reaction to one, that a schedule met. A run in which no schedule met one of these tests too little.
enum Sight: Int, CaseIterable {
    // Clients.
    case pipelined, splitRequest, slowReader, halfClosed, clientReset, clientLeft, idleClosed, expectedContinue
    case refusedBodyDropped, refusedBodyTooLong, bodyTooLarge, malformed, headTimedOut, bodyTimedOut, writeTimedOut,
        overdue
    case displaced, answerDiscarded
    case acceptQueueFull, placeMissing, acceptedWhileClosing, refusedInQueue
    // The database and the network to it.
    case processPaused, sessionEnded, endedBeforeCommit, connectionReset, resetInFlight, lostAfterCommit,
        serverRestarted
    case connectRefused, connectCrowded, connectTimedOut, answersLost, requestsLost, bytesHeld, readOnly, oldPrimary
    case stalePlan, standbyStalled, commitWaits, commitFails, serverRefusesStatement
    // The pool.
    case batched, grouped, readsAndWritesShareBatch, ranAgain, cancelAsked, cancelStopsStatement
    case cancelMeetsNothing, cancelMeetsCommit, cancelRefused, cancelOverdue, sendFailed, noMemory, unheld, unconfirmed,
        deadlinePassed, waitTimedOut, queueFull
    case unavailable, generationRetired, grew, openedBeside, idleRetired, grownRetired, leased, closedWithWork,
        siblingTold, fellBack, pushFailed
    // The drain.
    case drained, drainedWithRequests, drainCut
}

/// For each sight, how many schedules met it.
struct Coverage {
    var schedules = 0
    var steps = 0
    var requests = 0
    var statements = 0
    private(set) var counts = [Int](repeating: 0, count: Sight.allCases.count)

    mutating func add(_ world: World) {
        schedules += 1
        steps += world.steps
        requests += world.requestCount
        statements += world.statements.count
        let seen = world.seen
        for sight in Sight.allCases where seen.contains(sight) { counts[sight.rawValue] += 1 }
    }

    mutating func add(_ other: Coverage) {
        schedules += other.schedules
        steps += other.steps
        requests += other.requests
        statements += other.statements
        for index in counts.indices { counts[index] += other.counts[index] }
    }

    var missing: [Sight] { Sight.allCases.filter { counts[$0.rawValue] == 0 } }
}

/// The sights of one schedule.
struct SightSet {
    private var low: UInt64 = 0
    private var high: UInt64 = 0

    @inline(__always)
    mutating func insert(_ sight: Sight) {
        if sight.rawValue < 64 { low |= 1 << UInt64(sight.rawValue) } else { high |= 1 << UInt64(sight.rawValue - 64) }
    }

    func contains(_ sight: Sight) -> Bool {
        (sight.rawValue < 64 ? low >> UInt64(sight.rawValue) : high >> UInt64(sight.rawValue - 64)) & 1 == 1
    }
}
