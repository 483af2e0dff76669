import Reactor

/// Takes clients from one loop's listener; an object of that loop.
final class Acceptor {
    /// Clients taken in one turn, so that a crowd of new ones does not keep the loop from those it has.
    static let batch = 64
    /// How long accepting pauses when there is no descriptor, or no place, for a client, or accepting fails again and again.
    private static let pause: UInt64 = 20_000_000
    /// A lack that lasts, or comes and goes, is reported this often.
    private static let reportInterval: UInt64 = 10_000_000_000
    /// So many clients may be lost one after the other before accepting pauses: more are no chance, but an error that lasts.
    static let lossLimit = 8

    /// What is reported at intervals, each for itself.
    private enum Lack {
        case place, descriptor, client
    }

    let worker: Worker
    /// Nil once it is closed: from then on clients are refused instead of waiting for nobody.
    private var listener: Listener?
    private var isOpen = true
    private var nextReports: [Lack: UInt64] = [:]
    private var readiness: Readiness?
    /// The server's others, which have idle connections to give up when this loop has none.
    private var siblings: [RemoteAcceptor] = []
    /// Clients lost since the last one that came in.
    private(set) var losses = 0

    init(_ listener: consuming Listener, worker: Worker) {
        self.listener = consume listener
        self.worker = worker
    }

    /// Makes ready for `run`.
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

    /// Takes in what stands in the queue, waiting for places where there are none, then stops listening, also when clients
    /// go on coming.
    ///
    /// - Parameter limit: when the wait for places is over, on the loop's clock.
    func finish(by limit: UInt64) async {
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
            case .pause: await worker.loop.sleep(nanoseconds: Self.pause)
            case .stop: break intake
            }
        }
        // Ends the wait of `run`.
        readiness.cancel()
        self.readiness = nil
        listener = nil
    }

    /// Takes clients from the queue. While it is open, it waits for places and descriptors.
    ///
    /// - Returns: how many it has taken; fewer than `limit` when the queue was emptied, or there is no place and it is closing.
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
                    await worker.loop.sleep(nanoseconds: Self.pause)
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
                await worker.loop.sleep(nanoseconds: Self.pause)
            case .outOfDescriptors(let error):
                worker.quota.release()
                report(.descriptor, .outOfDescriptors(error))
                // One for the next client, and one for whatever else of the process lacks it.
                var freed = 0
                while freed < 2, await freePlace() {
                    worker.quota.release()
                    freed += 1
                }
                if freed == 0 { _ = listener?.shedOne() }
                await worker.loop.sleep(nanoseconds: Self.pause)
                if !isOpen { return count }
            }
        }
        return count
    }

    /// Takes the place of the connection that has been idle longest, of this loop or else of another.
    ///
    /// - Returns: whether there was one.
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
        guard worker.loop.now >= nextReports[lack, default: 0] else { return }
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

/// An acceptor as seen from other loops and from the server.
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
