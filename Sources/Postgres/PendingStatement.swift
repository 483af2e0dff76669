/// One statement between its caller's `await` and its answer. Used on its pool's loop only.
@safe final class PendingStatement {
    let statement: Statement
    let parameters: [Parameter]
    /// When the caller began to wait, and when its answer is of no use any more.
    let enqueued: UInt64
    let deadline: UInt64
    /// Runs in a transaction of its own: by its kind, or because the batch it was in failed.
    var isAlone: Bool
    /// Times it was sent on a connection that broke before answering.
    var losses = 0
    var sent: UInt64 = 0
    /// What the server said, kept until the Sync confirms it.
    var outcome: Result<Rows, DatabaseError>?
    // Resumed exactly once: `resume` takes it out.
    private var continuation: UnsafeContinuation<Result<Rows, DatabaseError>, Never>?

    init(
        _ statement: Statement, _ parameters: [Parameter], enqueued: UInt64, deadline: UInt64, isAlone: Bool,
        _ continuation: UnsafeContinuation<Result<Rows, DatabaseError>, Never>
    ) {
        self.statement = statement
        self.parameters = parameters
        self.enqueued = enqueued
        self.deadline = deadline
        self.isAlone = isAlone
        unsafe self.continuation = unsafe continuation
    }

    /// Answers the caller; later answers are dropped, since a deadline may have been faster.
    func resume(_ outcome: Result<Rows, DatabaseError>) {
        guard let waiting = unsafe continuation else { return }
        unsafe continuation = nil
        unsafe waiting.resume(returning: outcome)
    }

    var isAnswered: Bool { unsafe continuation == nil }
}
