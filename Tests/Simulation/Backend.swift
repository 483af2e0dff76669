/// One session of the simulated PostgreSQL: the messages it received and its progress.
final class Backend {
    /// A message from the service.
    enum Message {
        case statement(Int)
        /// Merged statements: a range in `World.groups`.
        case group(start: Int, count: Int)
        case sync
    }

    /// A reply, one for each message.
    enum Reply {
        case done
        case failed(ServerFault)
        /// The statement was skipped after the failure of another one.
        case passedOver
        /// The wait for a synchronous standby was cancelled; the confirmation follows.
        case warning
        /// The commit failed; the confirmation of the Sync follows.
        case commitFailed(ServerFault)
        case synced
        /// The server ends the session with this error.
        case goodbye(ServerFault)
        /// The connection is broken.
        case reset
    }

    enum Work: Equatable {
        case nothing
        /// A statement or a group is running.
        case statement
        /// A commit, which is already durable here, waits for a synchronous standby.
        case commit
    }

    let index: Int
    /// Distinguishes this session from earlier ones in the same place.
    var session = 0
    var pool = 0
    var connection = 0
    var isOpen = false
    /// Whether the loop knows the connection, and the replies that arrived before.
    var isAdopted = false
    var early: [Reply] = []
    /// Its answers reach no one: it runs what it has received, and ends.
    var isOrphan = false
    /// Whether its server was demoted to a standby.
    var isOldPrimary = false
    /// Whether its prepared statements are outdated.
    var isStale = false
    var inbox: [Message] = []
    /// Number of messages that have arrived, and of those processed.
    var arrived = 0
    var position = 0
    var lastArrival: Moment = 0
    var work = Work.nothing
    /// Distinguishes the end of the current work from that of earlier work.
    var workNumber = 0
    /// Whether the current work ends by a cancel request or by the statement timeout.
    var isCancelled = false
    var isCancelledByService = false
    /// The writes of the commit that waits for a standby, or of the last one that did.
    var waiting: [Int] = []
    /// When it has processed what it has begun.
    var clock: Moment = 0
    /// Statements executed since the transaction began.
    var executed: [Int] = []
    var hasFailed = false
    var isInBlock = false
    var isBlockFailed = false
    var lastReply: Moment = 0

    init(index: Int) {
        self.index = index
    }

    func open(pool: Int, connection: Int, at moment: Moment) {
        session += 1
        self.pool = pool
        self.connection = connection
        isOpen = true
        isAdopted = false
        early.removeAll(keepingCapacity: true)
        isOrphan = false
        isOldPrimary = false
        isStale = false
        inbox.removeAll(keepingCapacity: true)
        arrived = 0
        position = 0
        lastArrival = moment
        work = .nothing
        // Unique over all sessions.
        workNumber += 1
        isCancelled = false
        clock = moment
        executed.removeAll(keepingCapacity: true)
        hasFailed = false
        isInBlock = false
        isBlockFailed = false
        lastReply = moment
    }
}

/// Errors of the simulated server.
enum ServerFault: Int, CaseIterable {
    case constraint, conflict, cancelled, readOnly, stalePlan, shutdown, blockFailed
}
