/// The service's side of one connection to the database: what it sent, and the answers in the kernel's buffer.
final class Link {
    enum Expected {
        /// An index into `World.statements`.
        case statement(Int)
        /// A range in `World.groups`.
        case group(start: Int, count: Int)
        case sync
    }

    let connection: Int
    /// An index into `World.backends`, and the number of the session there.
    let backend: Int
    let session: Int
    var timer = Timer()
    /// What was sent since the connection was idle; the server has answered the first `answered` of it.
    var expected: [Expected] = []
    var answered = 0
    /// Statements answered since the last confirmed Sync.
    var inTransaction: [Int] = []
    var isComplete = true
    var wasWarned = false
    var hasFailed = false
    var hasGrown = false
    /// Whether a BEGIN was answered without a COMMIT or ROLLBACK after it.
    var isInBlock = false
    /// Replies that the kernel holds and the service has not read.
    var arrived: [Backend.Reply] = []
    var isBroken = false
    /// The call in `World.calls` whose transaction has leased it.
    var lentTo: Int?
    var isCancelling = false
    /// Whether a cancel request was sent since it was idle.
    var hasAskedToCancel = false
    /// Whether it must not be given another batch.
    var isRetired = false

    init(connection: Int, backend: Int, session: Int) {
        self.connection = connection
        self.backend = backend
        self.session = session
    }

    var isBusy: Bool { answered < expected.count }
    var isReadable: Bool { !arrived.isEmpty || isBroken }
}
