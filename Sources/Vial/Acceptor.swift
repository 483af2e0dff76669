import Reactor

/// Takes clients from one loop's listener.
actor Acceptor {
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
            await acceptAll(readiness)
        }
    }

    /// Takes in what stands in the queue, waiting for places where there are none, then stops listening.
    ///
    /// - Parameter limit: when the wait for places is over, on the loop's clock.
    func finish(by limit: UInt64) async {
        isOpen = false
        guard let readiness else {
            listener = nil
            return
        }
        await acceptAll(readiness)
        while listener?.hasClient == true && worker.loop.now < limit {
            await worker.loop.sleep(nanoseconds: Self.pause)
            await acceptAll(readiness)
        }
        // Ends the wait of `run`.
        readiness.cancel()
        self.readiness = nil
        listener = nil
    }

    private func acceptAll(_ readiness: Readiness) async {
        while true {
            guard worker.quota.take() else {
                guard listener?.hasClient == true else {
                    readiness.readDrained()
                    return
                }
                report(.connectionLimitReached(worker.quota.limit))
                await worker.loop.sleep(nanoseconds: Self.pause)
                if !isOpen { return }
                continue
            }
            switch listener?.accept() ?? Listener.Acceptance.none {
            case .client(let socket, let peer):
                serve(socket, peer)
            case .none:
                worker.quota.release()
                readiness.readDrained()
                return
            case .lost(let error):
                worker.quota.release()
                worker.observe(.acceptFailed(error))
            case .outOfDescriptors(let error):
                worker.quota.release()
                report(.outOfDescriptors(error))
                _ = listener?.shedOne()
                await worker.loop.sleep(nanoseconds: Self.pause)
                if !isOpen { return }
            }
        }
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
