import Reactor

/// Takes clients from one loop's listener.
actor Acceptor {
    /// Clients taken in one turn, so that a crowd of new ones does not keep the loop from those it has.
    static let batch = 64
    /// How long accepting pauses when there is no descriptor, or no place, for a client.
    private static let pause: UInt64 = 20_000_000
    /// A lack that lasts, or comes and goes, is reported this often.
    private static let reportInterval: UInt64 = 10_000_000_000

    private let worker: Worker
    nonisolated var unownedExecutor: UnownedSerialExecutor { unsafe worker.loop.asUnownedSerialExecutor() }
    /// Nil once it is closed: from then on clients are refused instead of waiting for nobody.
    private var listener: Listener?
    private var isOpen = true
    private var nextReport: UInt64 = 0
    private var readiness: Readiness?

    init(_ listener: consuming Listener, worker: Worker) {
        self.listener = consume listener
        self.worker = worker
    }

    /// Accepts until `finish` begins.
    func run() async throws(SystemError) {
        guard let number = listener?.descriptor.number else { return }
        let readiness = try Readiness(number, on: worker.loop)
        self.readiness = readiness
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
        guard let readiness else {
            listener = nil
            return
        }
        // Whoever came before is among so many.
        var rest = Int(Listener.backlog)
        while rest > 0 {
            let count = await accept(readiness, atMost: min(rest, Self.batch))
            rest -= count
            guard listener?.hasClient == true && worker.loop.now < limit else { break }
            if count == Self.batch {
                await worker.loop.nextTurn()
            } else {
                await worker.loop.sleep(nanoseconds: Self.pause)
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
            guard worker.quota.take() else {
                guard listener?.hasClient == true else {
                    readiness.readDrained()
                    return count
                }
                report(.connectionLimitReached(worker.quota.limit))
                await worker.loop.sleep(nanoseconds: Self.pause)
                if !isOpen { return count }
                continue
            }
            switch listener?.accept() ?? Listener.Acceptance.none {
            case .client(let socket, let peer):
                count += 1
                serve(socket, peer)
            case .none:
                worker.quota.release()
                readiness.readDrained()
                return count
            case .lost(let error):
                count += 1
                worker.quota.release()
                worker.observe(.acceptFailed(error))
            case .outOfDescriptors(let error):
                worker.quota.release()
                report(.outOfDescriptors(error))
                _ = listener?.shedOne()
                await worker.loop.sleep(nanoseconds: Self.pause)
                if !isOpen { return count }
            }
        }
        return count
    }

    private func report(_ event: ServerEvent) {
        guard worker.loop.now >= nextReport else { return }
        nextReport = worker.loop.now + Self.reportInterval
        worker.observe(event)
    }

    private func serve(_ socket: consuming FileDescriptor, _ peer: SocketAddress) {
        do throws(SystemError) {
            let connection = try Connection(socket, peer: peer, worker: worker)
            worker.opened(connection)
            connection.serve()
        } catch {
            worker.quota.release()
            worker.observe(.acceptFailed(error))
        }
    }
}
