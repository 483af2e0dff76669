import Reactor

/// Takes clients from one loop's listener.
actor Acceptor {
    /// How long accepting pauses when there is no descriptor, or no place, for a client.
    private static let pause: UInt64 = 20_000_000
    /// How long nothing more is said about a shortage (10 s): with clients that come and go it ends and begins again all
    /// the time, and they shall not fill the log.
    private static let reportInterval: UInt64 = 10_000_000_000

    private let worker: Worker
    nonisolated var unownedExecutor: UnownedSerialExecutor { unsafe worker.loop.asUnownedSerialExecutor() }
    /// Nil once it is closed: from then on clients are refused instead of waiting for nobody.
    private var listener: Listener?
    private var isOpen = true
    private var isPaused = false
    private var nextReport: UInt64 = 0
    private var readiness: Readiness?

    init(_ listener: consuming Listener, worker: Worker) {
        self.listener = consume listener
        self.worker = worker
    }

    /// Accepts until `finish`.
    func run() async throws(SystemError) {
        guard let number = listener?.descriptor.number else { return }
        let readiness = try Readiness(number, on: worker.loop)
        self.readiness = readiness
        while isOpen {
            if await readiness.untilReadable() == .interrupted { continue }
            await acceptAll(readiness)
        }
        readiness.cancel()
        self.readiness = nil
        listener = nil
    }

    /// Takes in what stands in the queue, then stops listening.
    func finish() async {
        isOpen = false
        guard let readiness else { return }
        await acceptAll(readiness)
        readiness.interrupt()
    }

    private func acceptAll(_ readiness: Readiness) async {
        while true {
            guard worker.quota.take() else {
                reportShortage(.connectionLimitReached(worker.quota.limit))
                await rest()
                if !isOpen { return }
                continue
            }
            switch listener?.accept() ?? Listener.Acceptance.none {
            case .client(let socket, let peer):
                isPaused = false
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
                reportShortage(.outOfDescriptors(error))
                _ = listener?.shedOne()
                await rest()
                if !isOpen { return }
            }
        }
    }

    private func reportShortage(_ event: ServerEvent) {
        guard !isPaused && worker.loop.now >= nextReport else { return }
        nextReport = worker.loop.now + Self.reportInterval
        worker.observe(event)
    }

    private func rest() async {
        isPaused = true
        await worker.loop.sleep(nanoseconds: Self.pause)
    }

    private func serve(_ socket: consuming FileDescriptor, _ peer: SocketAddress) {
        do throws(SystemError) {
            let connection = try Connection(socket, peer: peer, worker: worker)
            worker.opened(connection)
            Task(executorPreference: worker.loop) { await connection.run() }
        } catch {
            worker.quota.release()
            worker.observe(.acceptFailed(error))
        }
    }
}
