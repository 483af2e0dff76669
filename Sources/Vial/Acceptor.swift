import Platform
import Reactor

/// Accepts clients from the listener of one event loop. Used only on that loop.
final class Acceptor {
    /// Clients accepted per loop iteration, so that a burst of new ones does not starve the connections that are open.
    static let batch = 64
    /// Pause in accepting when there is no descriptor or no place for a client, or when accepting fails repeatedly.
    private static let pause = Duration.milliseconds(20)
    /// Minimum interval between two reports of the same shortage.
    private static let reportInterval = Duration.seconds(10)
    /// Clients that may be lost in a row before accepting pauses: more is not chance but a persistent error.
    static let lossLimit = 8

    /// Shortages; each has its own report interval.
    private enum Lack {
        case place, descriptor, client
    }

    let worker: Worker
    /// Nil once closed: new clients are then refused instead of left waiting in the queue.
    private var listener: Listener?
    private var isOpen = true
    private var nextReports: [Lack: Instant] = [:]
    private var readiness: Readiness?
    /// The acceptors of the server's other loops; asked to close an idle connection when this loop has none.
    private var siblings: [RemoteAcceptor] = []
    /// Clients lost since the last successful accept.
    private(set) var losses = 0

    init(_ listener: consuming Listener, worker: Worker) {
        self.listener = consume listener
        self.worker = worker
    }

    /// Registers the listener with the loop; call before `run`.
    ///
    /// - Throws: `SystemError` when the listener cannot be watched: its clients would wait for ever.
    func begin(beside siblings: [RemoteAcceptor]) throws(SystemError) {
        guard let number = listener?.descriptor.number else { return }
        readiness = try Readiness(number, on: worker.loop)
        self.siblings = siblings
    }

    /// Accepts until `finish` begins.
    func run() async {
        guard let readiness else { return }
        while isOpen {
            if await readiness.untilReadable() == .interrupted { continue }
            if await accept(readiness, atMost: Self.batch) == Self.batch { await worker.loop.nextTurn() }
        }
    }

    /// Accepts the clients that are in the queue, waits for places if there are none, then closes the listener, even if
    /// clients keep coming.
    ///
    /// - Parameter limit: when waiting for places ends, on the loop's clock.
    func finish(by limit: Instant) async {
        isOpen = false
        defer { siblings = [] }
        guard let readiness else {
            listener = nil
            return
        }
        var intake = Drain.Intake(queueLength: Int(Listener.backlog), until: limit)
        intake: while true {
            let count = await accept(readiness, atMost: intake.allowance(batch: Self.batch))
            let step = intake.took(
                count, batch: Self.batch, hasClient: listener?.hasClient == true,
                isFailing: losses >= Self.lossLimit, at: worker.loop.now)
            switch step {
            case .nextTurn: await worker.loop.nextTurn()
            case .pause: await worker.loop.sleep(for: Self.pause)
            case .stop: break intake
            }
        }
        // Ends the wait of `run`.
        readiness.cancel()
        self.readiness = nil
        listener = nil
    }

    /// Accepts clients from the queue; waits for places and descriptors while the acceptor is open.
    ///
    /// - Returns: the number of accepted clients; fewer than `limit` when the queue is empty, or when there is no place
    ///   and the acceptor is closing.
    private func accept(_ readiness: Readiness, atMost limit: Int) async -> Int {
        var count = 0
        while count < limit {
            if !worker.quota.take() {
                guard listener?.hasClient == true else {
                    readiness.readDrained()
                    return count
                }
                report(.place, .connectionLimitReached(worker.quota.limit))
                guard await freePlace() else {
                    await worker.loop.sleep(for: Self.pause)
                    if !isOpen { return count }
                    continue
                }
            }
            switch listener?.accept() ?? Listener.Acceptance.none {
            case .client(let socket, let peer):
                count += 1
                losses = 0
                serve(socket, peer)
            case .none:
                worker.quota.release()
                readiness.readDrained()
                return count
            case .lost(let error):
                count += 1
                losses += 1
                worker.quota.release()
                report(.client, .acceptFailed(error))
                guard losses >= Self.lossLimit else { continue }
                if !isOpen { return count }
                await worker.loop.sleep(for: Self.pause)
            case .outOfDescriptors(let error):
                worker.quota.release()
                report(.descriptor, .outOfDescriptors(error))
                // One place for the next client, one descriptor for other users in the process.
                var freed = 0
                while freed < 2, await freePlace() {
                    worker.quota.release()
                    freed += 1
                }
                if freed == 0 { _ = listener?.shedOne() }
                await worker.loop.sleep(for: Self.pause)
                if !isOpen { return count }
            }
        }
        return count
    }

    /// Frees a place by closing the longest idle connection, of this loop if it has one, else of another.
    ///
    /// - Returns: whether a place was freed.
    private func freePlace() async -> Bool {
        if takeIdlePlace() { return true }
        for sibling in siblings {
            if await sibling.perform({ $0.takeIdlePlace() }) { return true }
        }
        return false
    }

    private func takeIdlePlace() -> Bool {
        worker.giveUpIdle() && worker.quota.take()
    }

    private func report(_ lack: Lack, _ event: ServerEvent) {
        if let next = nextReports[lack], worker.loop.now < next { return }
        nextReports[lack] = worker.loop.now + Self.reportInterval
        worker.observe(event)
    }

    private func serve(_ socket: consuming FileDescriptor, _ peer: SocketAddress) {
        do throws(SystemError) {
            let connection = try Connection(socket, peer: peer, worker: worker)
            worker.opened(connection)
            connection.serve()
        } catch {
            worker.quota.release()
            report(.client, .acceptFailed(error))
        }
    }
}

/// Access to an acceptor from other threads.
struct RemoteAcceptor: Sendable {
    let loop: EventLoop
    let bound: LoopBound<Acceptor>

    init(_ acceptor: sending Acceptor, on loop: EventLoop) {
        self.loop = loop
        bound = LoopBound(handing: acceptor, to: loop)
    }

    /// Runs `body` on the acceptor's loop.
    func perform<Value: Sendable>(_ body: @escaping @Sendable (Acceptor) -> Value) async -> Value {
        await loop.perform { body(bound.value) }
    }
}
