/// One session of the modelled PostgreSQL: what it was sent and how far it has come with it.
final class Backend {
    /// What the service sends.
    enum Message {
        case statement(Int)
        /// Statements that run as one: a range of `World.groups`.
        case group(start: Int, count: Int)
        case sync
    }

    /// What it answers, one for each message.
    enum Reply {
        case done
        case failed(ServerFault)
        /// Not run, after the failure of another one.
        case passedOver
        /// The commit's wait for a synchronous standby was cut short; the confirmation follows.
        case warning
        /// Instead of a confirmation, which follows.
        case commitFailed(ServerFault)
        case synced
        /// The session ends, for this reason.
        case goodbye(ServerFault)
        /// The connection is broken.
        case reset
    }

    enum Work: Equatable {
        case nothing
        /// A statement or a group takes its time.
        case statement
        /// A commit, which stands already, waits for a synchronous standby.
        case commit
    }

    let index: Int
    /// Tells this session from an earlier one in its place.
    var session = 0
    var pool = 0
    var connection = 0
    var isOpen = false
    /// The loop has heard that the connection is open; what came before.
    var isAdopted = false
    var early: [Reply] = []
    /// Nobody reads its answers any more; it runs what it was sent, and ends.
    var isOrphan = false
    /// Of a standby, which a server that was the primary has become for good.
    var isOldPrimary = false
    /// Its prepared statements are no longer what they were.
    var isStale = false
    var inbox: [Message] = []
    /// How many messages have arrived, and how many are done.
    var arrived = 0
    var position = 0
    var lastArrival: Moment = 0
    var work = Work.nothing
    /// Tells the end of the present work from that of an earlier one.
    var workNumber = 0
    /// The present work ends by a cancel request, or by the server's own limit.
    var isCancelled = false
    var isCancelledByService = false
    /// Writes whose commit waits for a standby, or did last.
    var waiting: [Int] = []
    /// When it is done with what it has begun.
    var clock: Moment = 0
    /// Executed since the transaction began.
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
        // One of its own over all sessions.
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

/// What the modelled server may say to a statement.
enum ServerFault: Int, CaseIterable {
    case constraint, conflict, cancelled, readOnly, stalePlan, shutdown, blockFailed
}
