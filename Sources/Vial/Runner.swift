import Platform
import Reactor

/// A task that runs asynchronous handlers on one loop, one at a time. It belongs to the loop, not to a connection, so
/// an idle connection needs no task.
@safe final class Runner {
    private struct Job {
        let make: () async throws -> Answer
        let connection: Connection
        /// Deadline for the response.
        let expiry: Instant
    }

    private unowned let worker: Worker
    private let deadline = TaskDeadline()
    private var job: Job?
    // Resumed exactly once: `resume` clears it first.
    private var idle: UnsafeContinuation<Void, Never>?

    init(_ worker: Worker) {
        self.worker = worker
        let turn = Turn(loop: worker.loop)
        let runner = LoopBound(self, on: worker.loop)
        Task(executorPreference: worker.loop) { await turn.serve(runner) }
    }

    /// The actor that isolates the handlers. Without isolation, the loop would enqueue the task again after each call
    /// of an asynchronous function.
    private actor Turn {
        private let loop: EventLoop
        nonisolated var unownedExecutor: UnownedSerialExecutor { unsafe loop.asUnownedSerialExecutor() }
        init(loop: EventLoop) { self.loop = loop }

        func serve(_ bound: LoopBound<Runner>) async {
            let runner = bound.value
            // Bound once per task: code that waits on behalf of a request reads this box, and only its `expiry` changes.
            await TaskDeadline.$current.withValue(runner.deadline) {
                // A closure is isolated to the actor that it captures.
                _ = self
                while let job = await runner.next() {
                    runner.deadline.expiry = job.expiry
                    let answer = await runner.worker.app.run(job.make, job.connection.request)
                    runner.deadline.expiry = nil
                    // Done before the connection continues, which may need the runner for its next request.
                    let isKept = runner.worker.keep(runner)
                    job.connection.deliver(answer.kind)
                    if !isKept { return }
                }
            }
        }
    }

    /// Runs a handler; its answer is delivered to the connection. Must not be called again before that.
    func run(_ make: @escaping () async throws -> Answer, for connection: Connection, until expiry: Instant) {
        precondition(job == nil, "a runner was given a second request")
        job = Job(make: make, connection: connection, expiry: expiry)
        resume()
    }

    /// Ends the idle task.
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
                // Another loop iteration may have passed before the suspension and set a job without a continuation to
                // resume.
                if job == nil { unsafe idle = continuation } else { unsafe continuation.resume() }
            }
        }
        defer { job = nil }
        return job
    }
}
