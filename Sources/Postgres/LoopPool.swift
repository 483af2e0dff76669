import Platform
import Reactor

/// A pool on its loop: tells `PoolState` what happens, and performs what that decides.
@safe final class LoopPool {
    /// Smaller parameters and results are not counted one by one.
    static let uncountedByteLimit = 1024
    /// Of the memory budget, what one batch may take, unless it is a single statement.
    static let batchShare = 16
    /// Between two looks whether nothing is in flight any more, at the end.
    private static let closePause = Duration.milliseconds(20)
    /// Before a cancel request that found too many others on their way is made again.
    private static let cancelPause = Duration.milliseconds(5)

    let loop: EventLoop
    private let connector: Connector
    private let memory: MemoryBudget
    private let observe: @Sendable (PoolEvent) -> Void
    private(set) var state: PoolState
    private(set) var connections: [Int: Connection] = [:]
    private var statements = StatementTable()
    private var leases: [PoolState.Lease.ID: PendingLease] = [:]
    private var lastLease: PoolState.Lease.ID = 0
    /// The pools of the process's other loops.
    private var siblings: [Pool] = []
    private(set) var timers: [PoolState.Timer: Deadline] = [:]
    private var window = BatchWindow()
    /// Whether this iteration of the loop has asked the window.
    private var isWindowAsked = false
    /// How many statements were sent together the last time.
    private var lastBatchCount = 0
    private lazy var windowClosed: (Int) -> Void = { [unowned self] in window.closed(events: $0) }
    /// Kept for their storage.
    private var spareActions: [PoolState.Action] = []
    private var spareHeard: [PoolState.Heard] = []
    /// While the pool is being opened: the connection whose attempt its caller waits for.
    private var opening: Opening = .done

    private enum Opening {
        case starting
        case first(Int)
        case done
    }

    init(
        on loop: EventLoop, limits: PoolState.Limits, memory: MemoryBudget, connector: Connector,
        observe: @escaping @Sendable (PoolEvent) -> Void
    ) {
        self.loop = loop
        self.memory = memory
        self.connector = connector
        self.observe = observe
        state = PoolState(limits: limits)
    }

    var load: PoolLoad { state.load }

    private var now: Instant { Instant(nanoseconds: loop.now) }

    // What happens.

    func open(beside siblings: [Pool]) async {
        self.siblings = siblings
        // The loop keeps the pool from here on.
        loop.atTurnEnd { [self] in endIteration() }
        opening = .starting
        handle(.started)
        let first = opening
        opening = .done
        if case .first(let id) = first { await connect(id) }
    }

    func submit(_ pending: PendingStatement, until expiry: UInt64?) {
        let request = request(for: pending, until: expiry)
        handle(.submitted(request, hasMemory: hold(pending)))
        if !isWindowAsked && !pending.isAnswered && pending.mayBeGrouped { askWindow() }
    }

    /// A statement of the transaction that has this connection.
    func submit(_ pending: PendingStatement, on connection: Int, until expiry: UInt64?) {
        handle(.submittedOn(connection, request(for: pending, until: expiry)))
    }

    @inline(__always)
    private func request(for pending: PendingStatement, until expiry: UInt64?) -> PoolState.Request {
        statements.insert(pending)
        let statement = pending.statement
        return PoolState.Request(
            id: pending.id, kind: statement.kind, isLookup: statement.isLookup, rows: pending.rows,
            parameterByteCount: pending.parameterByteCount, resultByteLimit: statement.resultByteLimit, enqueued: now,
            deadline: Instant(nanoseconds: expiry ?? .max))
    }

    /// Counts a statement's parameters for as long as it lives; false when there is no memory for them.
    private func hold(_ pending: PendingStatement) -> Bool {
        if pending.parameterByteCount <= Self.uncountedByteLimit { return true }
        pending.reservation = MemoryReservation(pending.parameterByteCount, for: .parameter, of: memory)
        return pending.reservation != nil
    }

    private func askWindow() {
        isWindowAsked = true
        if window.opens(lastBatch: lastBatchCount, watched: loop.watchedCount) {
            loop.linger(for: BatchWindow.length, then: windowClosed)
        }
    }

    func lease(_ pending: PendingLease, until expiry: UInt64?) {
        lastLease += 1
        leases[lastLease] = pending
        handle(.leaseWanted(.init(id: lastLease, enqueued: now, deadline: Instant(nanoseconds: expiry ?? .max))))
    }

    func giveBack(_ id: Int) {
        handle(.leaseReturned(id, isInTransaction: connections[id]?.isInTransaction ?? false))
    }

    private func endIteration() {
        isWindowAsked = false
        // What is sent may fail at once, and then be sent on another connection.
        while state.hasWork { handle(.iterationEnded) }
    }

    /// A connection has something to read.
    func read(_ connection: Connection) {
        var heard = spareHeard
        spareHeard = []
        connection.receive(into: &heard)
        if !connection.isBusy { connection.releaseMemory() }
        handle(.heard(connection.id, heard, isBusy: connection.isBusy, hasGrown: connection.hasGrown))
        heard.removeAll(keepingCapacity: true)
        spareHeard = heard
    }

    /// A connection takes more of what was sent.
    func push(_ connection: Connection) {
        if !connection.flush() { handle(.broke(connection.id, .connectionLost, unsent: 0)) }
    }

    func expired(_ connection: Connection) {
        handle(.timer(.connection(connection.id)))
    }

    func close(within limit: Duration) async {
        let end = Instant.now + limit
        handle(.closing)
        while state.inUseCount > 0 && Instant.now < end {
            await loop.sleep(nanoseconds: Self.closePause.nanoseconds)
        }
        handle(.closed)
    }

    func heardOfSibling(_ news: PoolState.SiblingNews) {
        switch news {
        case .opened: handle(.siblingOpened)
        case .retired(let error): handle(.siblingRetired(error))
        }
    }

    // What is done.

    func handle(_ event: PoolState.Event) {
        var actions: [PoolState.Action] = []
        // What is done may lead to other events at once, which have a list of their own.
        swap(&actions, &spareActions)
        state.handle(event, at: now, into: &actions)
        for action in actions { perform(action) }
        actions.removeAll(keepingCapacity: true)
        spareActions = actions
    }

    private func perform(_ action: PoolState.Action) {
        switch action {
        case .answer(let requests): for request in requests { answer(request) }
        case .fail(let request, let error): fail(request, error)
        case .undo(let id): statements[id].result = nil
        case .lend(let id, to: let lease): end(lease, .success(id))
        case .refuse(let lease, let error): end(lease, .failure(error))
        case .open(let id): begin(id)
        case .send(let batch, on: let id): send(batch, on: id)
        case .requestCancel(let id): requestCancel(id)
        case .check(let id, let error): check(id, error)
        case .close(let id): connections.removeValue(forKey: id)?.close()
        case .arm(let timer, at: let moment): arm(timer, at: moment)
        case .disarm(let timer): if let deadline = timers[timer] { loop.cancel(deadline) }
        case .tellSiblings(let news): tellSiblings(news)
        case .report(let report): self.report(report)
        }
    }

    private func answer(_ request: PoolState.Request) {
        let pending = statements.remove(request.id)
        guard let sent = request.sent, let rows = pending.result.take() else {
            fatalError("\(pending.statement.name) is answered without a result")
        }
        observe(.completed(pending.statement, nanoseconds: now.nanoseconds(since: sent)))
        if rows.byteCount > pending.statement.enoughByteCount, fallsBack(pending, rows, until: request.deadline) {
            return
        }
        pending.resume(.success(rows))
    }

    /// Has another statement answer the caller, where these rows are not enough.
    @inline(never)
    private func fallsBack(_ pending: PendingStatement, _ rows: Rows, until deadline: Instant) -> Bool {
        guard let fallback = pending.statement.fallback, fallback.isNeeded(rows) else { return false }
        submit(pending.followed(by: fallback.statement), until: deadline.nanoseconds)
        return true
    }

    private func fail(_ request: PoolState.Request, _ error: DatabaseError) {
        let pending = statements.remove(request.id)
        // What a transaction could not send, since its connection is lost, follows from what was reported before.
        if !request.isOfTransaction || request.sent != nil { observe(.failed(pending.statement, error)) }
        pending.resume(.failure(error))
    }

    private func end(_ lease: PoolState.Lease.ID, _ outcome: Result<Int, DatabaseError>) {
        guard let pending = leases.removeValue(forKey: lease) else { fatalError("lease \(lease) is unknown") }
        pending.resume(outcome)
    }

    private func begin(_ id: Int) {
        if case .starting = opening {
            opening = .first(id)
        } else {
            loop.task { [self] in await connect(id) }
        }
    }

    private func connect(_ id: Int) async {
        let start = Instant.now
        let outcome = await connector.connect()
        let took = Instant.now - start
        do throws(DatabaseError) {
            let opened = try outcome.get()
            connections[id] = try Connection(id, opened, of: self, memory: memory)
            handle(.opened(id, took: took, isPooled: opened.isPooled))
        } catch {
            handle(.openFailed(id, error, took: took, jitter: .random(in: 0...1)))
        }
    }

    private func send(_ batch: PoolState.Batch, on id: Int) {
        guard let connection = connections[id] else { fatalError("connection \(id) is unknown") }
        if !batch.requests[0].isOfTransaction {
            guard connection.reserve(batch.size) else { return handle(.noMemory(id)) }
            lastBatchCount = batch.requests.count
        }
        var pending: [PendingStatement] = []
        pending.reserveCapacity(batch.requests.count)
        for request in batch.requests {
            observe(.waited(nanoseconds: now.nanoseconds(since: request.enqueued)))
            pending.append(statements[request.id])
        }
        if let unsent = connection.send(pending, batch.requests) {
            return handle(.broke(id, .connectionLost, unsent: unsent))
        }
        guard connection.flush() else { return handle(.broke(id, .connectionLost, unsent: 0)) }
        connection.readiness.arm(expiry: batch.deadline.nanoseconds)
    }

    private func requestCancel(_ id: Int) {
        // Made now: the connection may be gone when the task runs, and what the server runs is not.
        let request = connections[id].flatMap { CancelRequest($0.handle) }
        loop.task { [self] in
            var outcome = Connector.CancelOutcome.ended
            while let request {
                outcome = await Connector.cancel(request, on: loop, within: Cancellation.patience)
                guard outcome == .refused else { break }
                await loop.sleep(nanoseconds: Self.cancelPause.nanoseconds)
                guard state.mayCancelAgain(id, at: now) else { break }
            }
            handle(.cancelEnded(id, isOverdue: outcome == .overdue))
        }
    }

    private func check(_ id: Int, _ error: DatabaseError) {
        if connections[id]?.isStale == true { handle(.broke(id, error, unsent: 0)) }
    }

    private func arm(_ timer: PoolState.Timer, at moment: Instant) {
        if case .connection(let id) = timer {
            connections[id]?.readiness.arm(expiry: moment.nanoseconds)
        } else if let deadline = timers[timer] {
            loop.arm(deadline, at: moment.nanoseconds)
        } else {
            let deadline = loop.makeDeadline { [self] in handle(.timer(timer)) }
            timers[timer] = deadline
            loop.arm(deadline, at: moment.nanoseconds)
        }
    }

    private func tellSiblings(_ news: PoolState.SiblingNews) {
        for sibling in siblings {
            let core = sibling.core
            sibling.loop.execute { core.value.heardOfSibling(news) }
        }
    }

    private func report(_ report: PoolState.Report) {
        switch report {
        case .opened(let took): observe(.opened(duration: took.nanoseconds))
        case .openFailed(let error): observe(.openFailed(error))
        case .lost(let error): observe(.lost(error))
        case .reconnected: observe(.reconnected)
        case .up: observe(.up)
        case .down(let error): observe(.down(error))
        case .load(let load): observe(.load(load))
        }
    }
}
