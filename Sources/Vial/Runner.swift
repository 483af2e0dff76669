import Reactor

/// A task of one loop that makes answers which suspend, one at a time: for a request, not for a connection, so an idle
/// connection holds no task. An object of that loop.
@safe final class Runner {
    private struct Job {
        let make: () async throws -> Answer
        let connection: Connection
        /// By when the request is to be answered.
        let expiry: UInt64
    }

    private unowned let worker: Worker
    private let deadline = TaskDeadline()
    private var job: Job?
    // Resumed exactly once: `run` takes it out.
    private var idle: UnsafeContinuation<Void, Never>?

    init(_ worker: Worker) {
        self.worker = worker
        let turn = Turn(loop: worker.loop)
        let runner = LoopBound(self, on: worker.loop)
        Task(executorPreference: worker.loop) { await turn.serve(runner) }
    }

    /// What the handlers are isolated to. Isolated to nothing, the task is queued again, by its loop on itself, after each
    /// call of an asynchronous function: seven times for a lookup of one row, 5,000 instructions.
    private actor Turn {
        private let loop: EventLoop
        nonisolated var unownedExecutor: UnownedSerialExecutor { unsafe loop.asUnownedSerialExecutor() }
        init(loop: EventLoop) { self.loop = loop }

        func serve(_ bound: LoopBound<Runner>) async {
            let runner = bound.value
            // Bound once: what waits on behalf of a request reads it, and only its moment changes.
            await TaskDeadline.$current.withValue(runner.deadline) {
                // A closure is isolated to what it captures.
                _ = self
                while let job = await runner.next() {
                    runner.deadline.expiry = job.expiry
                    let answer = await runner.worker.app.run(job.make, job.connection.request)
                    runner.deadline.expiry = nil
                    // Before the connection goes on, which may have another request for it.
                    let isKept = runner.worker.keep(runner)
                    job.connection.deliver(answer.kind)
                    if !isKept { return }
                }
            }
        }
    }

    /// Has an answer made to the connection's request, which then hears of it. Not called again before it has.
    func run(_ make: @escaping () async throws -> Answer, for connection: Connection, until expiry: UInt64) {
        precondition(job == nil, "a runner has one request at a time")
        job = Job(make: make, connection: connection, expiry: expiry)
        resume()
    }

    /// Ends the task, which has nothing to do.
    func end() {
        resume()
    }

    private func resume() {
        guard let waiting = unsafe idle else { return }
        unsafe idle = nil
        unsafe waiting.resume()
    }

    private func next() async -> Job? {
        if job == nil {
            await unsafe withUnsafeContinuation { continuation in
                // Between the look and the suspension another turn may have passed, and brought a job that woke nobody.
                if job == nil { unsafe idle = continuation } else { unsafe continuation.resume() }
            }
        }
        defer { job = nil }
        return job
    }
}
