/// One connection to the database as the service has it: what it sent, and what of the answers its kernel holds.
final class Link {
    enum Expected {
        /// Of `World.statements`.
        case statement(Int)
        /// A range of `World.groups`.
        case group(start: Int, count: Int)
        case sync
    }

    let connection: Int
    /// Of `World.backends`, and which session there.
    let backend: Int
    let session: Int
    var timer = Timer()
    /// Sent, and not answered by the server; the first `answered` are.
    var expected: [Expected] = []
    var answered = 0
    /// Answered since the last confirmed Sync.
    var inTransaction: [Int] = []
    var isComplete = true
    var wasWarned = false
    var hasFailed = false
    var hasGrown = false
    /// A BEGIN was answered, and neither a COMMIT nor a ROLLBACK.
    var isInBlock = false
    /// What the kernel holds.
    var arrived: [Backend.Reply] = []
    var isBroken = false
    /// The transaction that it is lent to, of `World.calls`.
    var lentTo: Int?
    var isCancelling = false
    /// A cancel request was sent since it was idle.
    var hasAskedToCancel = false
    /// It is to serve nobody any more.
    var isRetired = false

    init(connection: Int, backend: Int, session: Int) {
        self.connection = connection
        self.backend = backend
        self.session = session
    }

    var isBusy: Bool { answered < expected.count }
    var isReadable: Bool { !arrived.isEmpty || isBroken }
}
