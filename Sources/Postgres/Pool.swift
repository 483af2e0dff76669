import DequeModule
public import Reactor

/// The connections of one event loop, shared by everything that runs on it.
///
/// Statements asked for during one turn of the loop leave together on one connection, with one Sync: one system call,
/// one transaction, one commit. Nobody sees an answer before its Sync is confirmed. When one statement fails, all of its
/// batch run again one by one, so that it never fails its neighbours.
public actor Pool {
    /// The server ends a statement at its limit; the pool waits this much longer before it gives the connection up.
    private static let cancelGrace: UInt64 = 500_000_000

    public nonisolated let loop: EventLoop
    public nonisolated var unownedExecutor: UnownedSerialExecutor { unsafe loop.asUnownedSerialExecutor() }

    private let connector: Connector
    private let statementLimit: UInt64
    private let observe: @Sendable (PoolEvent) -> Void
    private var state: PoolState
    private var connections: [Int: Connection] = [:]
    private var queue = Deque<PendingStatement>()
    private var leaseQueue = Deque<PendingLease>()
    /// Whether the end of this turn has something to do here.
    private var hasWork = false
    /// Connections that were lost and whose place is still empty.
    private var lostCount = 0
    /// The pools of the process's other loops, which are told when the database is there again.
    private var siblings: [Pool] = []
    private var reported = PoolLoad()
    private lazy var waitDeadline = makeDeadline { $0.expireWaiting() }
    private lazy var growDeadline = makeDeadline { $0.hasWork = true }
    private lazy var retryDeadline = makeDeadline { $0.retry() }
    private lazy var idleDeadline = makeDeadline { $0.retireIdle() }

    /// - Parameters:
    ///   - minimum: connections kept open; may be 0.
    ///   - maximum: connections never exceeded, at least 1.
    ///   - waitMilliseconds: longest wait for a connection.
    ///   - statementMilliseconds: longest run of one statement; the deadline of the task that asks may shorten it.
    ///   - observe: called on the loop; must not block.
    public init(
        on loop: EventLoop, minimum: Int, maximum: Int, waitMilliseconds: Int, statementMilliseconds: Int,
        connector: Connector, observe: @escaping @Sendable (PoolEvent) -> Void
    ) {
        self.loop = loop
        self.connector = connector
        self.observe = observe
        statementLimit = UInt64(statementMilliseconds) * 1_000_000
        state = PoolState(
            limits: .init(minimum: minimum, maximum: maximum, waitLimit: UInt64(waitMilliseconds) * 1_000_000))
    }

    /// Opens the minimum of connections. Returns when the first attempt is decided, for better or worse; whatever is
    /// missing then is tried again in the background.
    public func open() async {
        await open(beside: [])
    }

    func open(beside siblings: [Pool]) async {
        self.siblings = siblings
        loop.atTurnEnd { [weak self] in self?.assumeIsolated { $0.flush() } }
        loop.arm(idleDeadline, at: loop.now + state.limits.idleLimit)
        var missing = state.refill()
        guard !missing.isEmpty else { return }
        let first = missing.removeFirst()
        for identifier in missing { begin(identifier) }
        await connect(first)
    }

    /// Runs one statement.
    ///
    /// - Returns: its rows, after the transaction they belong to is committed.
    /// - Throws: `DatabaseError`. After `.connectionLost` and `.deadlineExceeded` a write may have happened.
    public func query(_ statement: Statement, _ parameters: [Parameter] = []) async throws(DatabaseError) -> Rows {
        if let refusal = state.refusal(waiting: queue.count) {
            observe(.failed(statement, refusal))
            throw refusal
        }
        let now = loop.now
        let deadline = deadline(now: now)
        hastenWaitDeadline(to: deadline)
        // `PendingStatement` resumes it exactly once, at the latest when its deadline passes.
        let outcome = await unsafe withUnsafeContinuation { continuation in
            queue.append(
                unsafe PendingStatement(
                    statement, parameters, enqueued: now, deadline: deadline, isAlone: statement.kind == .update,
                    continuation))
            hasWork = true
        }
        return try outcome.get()
    }

    /// Runs `body` with a connection of its own inside a transaction: committed when it returns, rolled back when it throws.
    public func transaction<Value>(_ body: (Transaction) async throws -> Value) async throws -> Value {
        let identifier = try await lease()
        defer { release(identifier) }
        let transaction = Transaction(pool: self, identifier: identifier)
        _ = try await execute(Transaction.begin, [], on: identifier)
        do {
            let value = try await body(transaction)
            let end = try await execute(Transaction.commit, [], on: identifier)
            // COMMIT rolls back when a statement failed whose error `body` swallowed, and only its tag says so.
            guard end.commandTag == "COMMIT" else { throw DatabaseError.unexpectedResult("\(end.commandTag) at COMMIT") }
            return value
        } catch {
            // The first error is the one to tell; without a connection there is nothing to roll back.
            _ = try? await execute(Transaction.rollback, [], on: identifier)
            throw error
        }
    }

    /// The numbers at this moment.
    public func load() -> PoolLoad { currentLoad }

    /// Waits for what is in flight, at most for `milliseconds`, then closes every connection. New statements are refused.
    public func close(withinMilliseconds milliseconds: Int) async {
        state.close()
        let limit = EventLoop.monotonicNanoseconds() + UInt64(milliseconds) * 1_000_000
        while state.inUseCount > 0 && EventLoop.monotonicNanoseconds() < limit {
            await loop.sleep(nanoseconds: 20_000_000)
        }
        for deadline in [waitDeadline, growDeadline, retryDeadline, idleDeadline] { loop.cancel(deadline) }
        for connection in connections.values { discard(connection, .closing) }
        failWaiting(.closing)
    }

    func execute(_ statement: Statement, _ parameters: [Parameter], on identifier: Int) async throws(DatabaseError) -> Rows {
        guard let connection = connections[identifier] else { throw .connectionLost }
        let now = loop.now
        let deadline = deadline(now: now)
        // As in `query`.
        let outcome = await unsafe withUnsafeContinuation { continuation in
            let pending = unsafe PendingStatement(
                statement, parameters, enqueued: now, deadline: deadline, isAlone: true, continuation)
            // Inside a transaction nothing runs again on another connection.
            pending.losses = 1
            send([pending], on: connection)
        }
        return try outcome.get()
    }

    private func deadline(now: UInt64) -> UInt64 {
        min(now + statementLimit + Self.cancelGrace, TaskDeadline.current?.expiry ?? .max)
    }

    private func makeDeadline(_ action: @escaping @Sendable (isolated Pool) -> Void) -> Deadline {
        loop.makeDeadline { [weak self] in self?.assumeIsolated { action($0) } }
    }
}

// Sending and receiving.
extension Pool {
    /// The end of a turn: sends what was asked for during it.
    private func flush() {
        guard hasWork else { return }
        hasWork = false
        serveLeases()
        gathering: while let oldest = queue.first {
            switch state.next(oldest: oldest.enqueued, now: loop.now) {
            case .use(let identifier):
                guard let connection = connections[identifier] else { fatalError("idle connection \(identifier) is unknown") }
                sendBatch(on: connection)
            case .connect(let identifier):
                begin(identifier)
            case .wait(let moment):
                if let moment { loop.arm(growDeadline, at: moment) }
                armWaitDeadline()
                break gathering
            }
        }
        reportLoad()
    }

    private func sendBatch(on connection: Connection) {
        let now = loop.now
        var batch: [PendingStatement] = []
        batch.reserveCapacity(min(queue.count, state.limits.batchLimit))
        while batch.count < state.limits.batchLimit, let pending = queue.popFirst() {
            // Sent, it would at once cost its neighbours the connection.
            if now >= pending.deadline { fail(pending, .deadlineExceeded, now: now) } else { batch.append(pending) }
        }
        if batch.isEmpty { state.finished(connection.identifier, now: now) } else { send(batch, on: connection) }
    }

    private func send(_ batch: [PendingStatement], on connection: Connection) {
        let now = loop.now
        for pending in batch {
            pending.sent = now
            observe(.waited(nanoseconds: now - pending.enqueued))
        }
        if let unsent = connection.send(batch) {
            for pending in unsent.reversed() { retry(pending, orFail: .connectionLost, now: now) }
            lose(connection, .connectionLost)
            return
        }
        guard let isHolding = connection.flush() else {
            lose(connection, .connectionLost)
            return
        }
        connection.readiness.arm(expiry: connection.deadline)
        if isHolding && !connection.isDraining {
            connection.isDraining = true
            let identifier = connection.identifier
            Task(executorPreference: loop) { await self.drainOutput(of: identifier) }
        }
    }

    /// Pushes what the socket did not take at once.
    private func drainOutput(of identifier: Int) async {
        while let connection = connections[identifier] {
            if await connection.readiness.untilWritable() == .interrupted { return }
            guard let isHolding = connection.flush() else {
                lose(connection, .connectionLost)
                return
            }
            if !isHolding {
                connection.isDraining = false
                return
            }
        }
    }

    /// Reads for one connection until it is gone.
    private func run(_ identifier: Int) async {
        while let connection = connections[identifier] {
            switch await connection.readiness.untilReadable() {
            case .ready: take(connection.receive(), from: connection)
            case .expired: checkDeadline(of: connection)
            case .interrupted: return
            }
        }
    }

    private func take(_ received: Connection.Received, from connection: Connection) {
        let now = loop.now
        for pending in received.confirmed { answer(pending, now: now) }
        for pending in received.undone.reversed() where !pending.isAnswered {
            pending.isAlone = true
            pending.outcome = nil
            hastenWaitDeadline(to: pending.deadline)
            queue.prepend(pending)
        }
        if let loss = received.loss {
            lose(connection, loss)
        } else if !connection.isBusy {
            if connection.isLeased { return }
            if case .busy? = state.slots[connection.identifier] { state.finished(connection.identifier, now: now) }
        }
        hasWork = true
    }

    /// Queues a statement again, before all others, unless that happened before or the pool closes.
    private func retry(_ pending: PendingStatement, orFail error: DatabaseError, now: UInt64) {
        guard pending.losses == 0 && state.availability != .closing else { return fail(pending, error, now: now) }
        pending.losses += 1
        pending.outcome = nil
        hastenWaitDeadline(to: pending.deadline)
        queue.prepend(pending)
    }

    private func fail(_ pending: PendingStatement, _ error: DatabaseError, now: UInt64) {
        pending.outcome = .failure(error)
        answer(pending, now: now)
    }

    private func answer(_ pending: PendingStatement, now: UInt64) {
        guard let outcome = pending.outcome else { fatalError("\(pending.statement.name) confirmed without an outcome") }
        switch outcome {
        case .success: observe(.completed(pending.statement, nanoseconds: now - pending.sent))
        case .failure(let error): observe(.failed(pending.statement, error))
        }
        pending.resume(outcome)
    }

    private func checkDeadline(of connection: Connection) {
        guard connection.isBusy, loop.now >= connection.deadline else { return }
        Connector.cancel(connection.handle)
        lose(connection, .deadlineExceeded)
    }
}

// Opening and losing connections.
extension Pool {
    private func begin(_ identifier: Int) {
        Task(executorPreference: loop) { await self.connect(identifier) }
    }

    private func connect(_ identifier: Int) async {
        let start = EventLoop.monotonicNanoseconds()
        switch await connector.connect() {
        case .success(let opened):
            admit(identifier, opened, duration: EventLoop.monotonicNanoseconds() - start)
        case .failure(let error):
            attemptFailed(identifier, error)
        }
        hasWork = true
    }

    private func admit(_ identifier: Int, _ opened: Connector.Opened, duration: UInt64) {
        let connection: Connection
        do {
            connection = try Connection(identifier, opened.handle, on: loop, prepared: opened.prepared)
        } catch {
            attemptFailed(identifier, .connectFailed("\(error)"))
            return
        }
        if state.availability == .closing {
            _ = state.connectFailed(identifier, now: loop.now, jitter: 0)
            connection.readiness.cancel()
            return
        }
        let wasUp = state.availability == .up
        connections[identifier] = connection
        state.connected(identifier, now: loop.now)
        observe(.opened(duration: duration))
        if lostCount > 0 {
            lostCount -= 1
            observe(.reconnected)
        }
        if !wasUp {
            observe(.up)
            for sibling in siblings {
                Task(executorPreference: sibling.loop) { await sibling.retryNow() }
            }
        }
        Task(executorPreference: loop) { await self.run(identifier) }
        for missing in state.refill() { begin(missing) }
    }

    private func attemptFailed(_ identifier: Int, _ error: DatabaseError) {
        let wasDown = state.availability == .down
        let moment = state.connectFailed(identifier, now: loop.now, jitter: .random(in: 0...1))
        observe(.openFailed(error))
        if state.availability == .down {
            if !wasDown { observe(.down(error)) }
            failWaiting(.unavailable)
        }
        if let moment { loop.arm(retryDeadline, at: moment) }
    }

    /// The database is there: no pause is of use any more.
    private func retryNow() {
        guard state.availability == .down else { return }
        loop.cancel(retryDeadline)
        retry()
    }

    private func retry() {
        if let identifier = state.retry() { begin(identifier) }
    }

    /// Gives an open connection up. Reads that had no answer run again elsewhere, once; writes may have happened.
    private func lose(_ connection: Connection, _ error: DatabaseError) {
        // Its reader and its writer may both find it broken in one turn.
        guard connections[connection.identifier] === connection else { return }
        lostCount = min(lostCount + 1, state.limits.maximum)
        observe(.lost(error))
        discard(connection, error)
        if let replacement = state.lost(connection.identifier) { begin(replacement) }
        hasWork = true
    }

    private func discard(_ connection: Connection, _ error: DatabaseError) {
        connections[connection.identifier] = nil
        let now = loop.now
        for pending in connection.abandon().reversed() where !pending.isAnswered {
            var reason = DatabaseError.connectionLost
            if case .failure(let own)? = pending.outcome { reason = own }
            if error == .deadlineExceeded && now >= pending.deadline {
                fail(pending, .deadlineExceeded, now: now)
            } else if pending.statement.kind == .read && reason.retiresConnection {
                // Nothing is wrong with the statement: the server shut down, or its connection broke.
                retry(pending, orFail: reason, now: now)
            } else {
                fail(pending, reason, now: now)
            }
        }
    }

    private func retireIdle() {
        for identifier in state.retireIdle(now: loop.now) {
            guard let connection = connections.removeValue(forKey: identifier) else {
                fatalError("idle connection \(identifier) is unknown")
            }
            _ = connection.abandon()
        }
        reportLoad()
        loop.arm(idleDeadline, at: loop.now + state.limits.idleLimit / 4)
    }
}

// Waiting.
extension Pool {
    /// When a statement that is not sent has waited enough.
    private func waitEnd(of pending: PendingStatement) -> UInt64 {
        // Whoever ran before and is to run again has waited for its turn already.
        pending.sent > 0 ? pending.deadline : min(pending.deadline, pending.enqueued + state.limits.waitLimit)
    }

    private func armWaitDeadline() {
        // While it is armed, whoever is queued with less time than it has left moves it.
        guard waitDeadline.expiry == nil else { return }
        var moment = queue.reduce(UInt64.max) { min($0, waitEnd(of: $1)) }
        if let lease = leaseQueue.first { moment = min(moment, lease.enqueued + state.limits.waitLimit) }
        if moment < .max { loop.arm(waitDeadline, at: moment) }
    }

    private func hastenWaitDeadline(to moment: UInt64) {
        if let armed = waitDeadline.expiry, moment < armed { loop.arm(waitDeadline, at: moment) }
    }

    private func expireWaiting() {
        let now = loop.now
        let limit = state.limits.waitLimit
        let late = queue.filter { now >= waitEnd(of: $0) }
        if !late.isEmpty { queue.removeAll { now >= waitEnd(of: $0) } }
        for pending in late {
            fail(pending, now >= pending.deadline ? .deadlineExceeded : .waitTimedOut, now: now)
        }
        while let lease = leaseQueue.first, now >= lease.enqueued + limit {
            leaseQueue.removeFirst().resume(.failure(.waitTimedOut))
        }
        armWaitDeadline()
        reportLoad()
    }

    private func failWaiting(_ error: DatabaseError) {
        let waiting = queue
        queue.removeAll()
        for pending in waiting { fail(pending, error, now: loop.now) }
        while let lease = leaseQueue.popFirst() { lease.resume(.failure(error)) }
        reportLoad()
    }

    private func lease() async throws(DatabaseError) -> Int {
        if let refusal = state.refusal(waiting: queue.count + leaseQueue.count) { throw refusal }
        let now = loop.now
        // `PendingLease` resumes it exactly once.
        let outcome = await unsafe withUnsafeContinuation { continuation in
            leaseQueue.append(unsafe PendingLease(enqueued: now, continuation))
            hasWork = true
        }
        return try outcome.get()
    }

    private func release(_ identifier: Int) {
        hasWork = true
        guard let connection = connections[identifier] else { return }
        connection.isLeased = false
        state.finished(identifier, now: loop.now)
    }

    private func serveLeases() {
        while let waiting = leaseQueue.first {
            if let identifier = state.lease() {
                leaseQueue.removeFirst()
                connections[identifier]?.isLeased = true
                waiting.resume(.success(identifier))
                continue
            }
            if case .connect(let identifier) = state.next(oldest: waiting.enqueued, now: loop.now) {
                begin(identifier)
            } else {
                loop.arm(growDeadline, at: loop.now + state.limits.growAfter)
            }
            armWaitDeadline()
            return
        }
    }

    private var currentLoad: PoolLoad {
        var load = PoolLoad()
        load.idle = state.idleCount
        load.inUse = state.inUseCount
        load.waiting = queue.count + leaseQueue.count
        return load
    }

    private func reportLoad() {
        let load = currentLoad
        if load == reported { return }
        reported = load
        observe(.load(load))
    }
}
