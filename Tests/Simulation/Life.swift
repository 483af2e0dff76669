/// The parameters of one schedule: the service's limits, its clients and the faults. All are drawn before the first step.
struct Life {
    /// The kind of a request.
    enum Kind: Int, CaseIterable {
        /// Answered inline, without the database.
        case root
        /// A lookup by key, which may be merged with others.
        case find
        /// A read of several rows.
        case list
        /// An insert, which may be merged with others.
        case create
        /// A statement that may wait for a lock, so it has a transaction of its own.
        case update
        /// BEGIN, an insert and COMMIT on a leased connection.
        case transaction
        /// A task that takes time, without the database.
        case task
        /// A path that does not exist.
        case unknown
        /// A method that the path does not have; refused before the body.
        case refused
        /// Not HTTP.
        case malformed

        /// Whether the head alone decides the answer.
        var isRefused: Bool { self == .unknown || self == .refused }
    }

    enum Body: Equatable {
        case none
        case length(Int)
        case chunked(Int)
        /// A chunk size that is not a number.
        case badChunk
        /// A body above the limit, of which some bytes are sent.
        case tooLarge
        /// A body of which only a part is sent.
        case unfinished(Int)

        /// Whether the client never sends all of it.
        var isCut: Bool {
            switch self {
            case .unfinished, .tooLarge: true
            case .none, .length, .chunked, .badChunk: false
            }
        }
    }

    struct Request {
        var kind = Kind.root
        var body = Body.none
        var expectsContinue = false
        var isLast = false
        /// The client sends it without waiting for the answers to those before it.
        var isPipelined = false
        /// The client's pause before it sends the request.
        var pause: Moment = 0
        /// The number of pieces in which it is sent, and the pause between them.
        var pieces = 1
        var piecePause: Moment = 0
        /// How long a task takes.
        var duration: Moment = 0
        var statement = StatementPlan()
    }

    /// The effect of a statement at the server.
    struct StatementPlan {
        enum Verdict {
            case succeeds
            /// Violates a constraint whenever it runs.
            case fails
            /// Violates a constraint that is checked at the commit.
            case failsAtCommit
            /// Fails with a serialization conflict the first time.
            case conflicts
        }

        var cost: Moment = 0
        var verdict = Verdict.succeeds
        var rows = 1
        var parameterBytes = 40
        /// Whether another statement has to answer in its place, because its rows are not enough.
        var fallsBack = false
    }

    enum Farewell: CaseIterable {
        /// Closes when it has all its answers.
        case closes
        /// Ends its sending side, and continues to read.
        case halfCloses
        /// Leaves the connection open.
        case stays
        /// Resets the connection at some moment.
        case resets
        /// Closes at some moment.
        case leaves
    }

    struct Client {
        var start: Moment = 0
        var first = 0
        var count = 0
        var farewell = Farewell.closes
        /// When a farewell happens that does not wait for answers.
        var end: Moment = 0
        /// The network's delay, one way.
        var delay: Moment = 0
        /// The capacity of the kernels' buffers.
        var window = 0
        /// The client's pause between two reads.
        var readPause: Moment = 0
    }

    enum Fault: Int, CaseIterable {
        case pause, endOne, endAll, resetOne, resetAll, restart, refuse, crowd, muteAndLose, deafAndLose, hold, readOnly
        case oldPrimary, stalePlans, standbyStalls, slowConnects, displacement, adminCancels
    }

    struct Incident {
        var fault = Fault.pause
        var moment: Moment = 0
        var duration: Moment = 0
    }

    var pools = 1
    var minimum = 0
    var maximum = 1
    var requestTimeout: Moment = 0
    var statementTimeout: Moment = 0
    var waitTimeout: Moment = 0
    var connectTimeout: Moment = 0
    var headerTimeout: Moment = 0
    var bodyTimeout: Moment = 0
    var writeTimeout: Moment = 0
    var keepAliveTimeout: Moment = 0
    var drainDelay: Moment = 0
    var drainTimeout: Moment = 0
    /// Connections of clients that are open at most, over all loops.
    var connectionLimit = 0
    /// Clients that an accept queue holds.
    var acceptQueueLength = 0
    /// Clients that one attempt takes in.
    var acceptBatch = 0
    var idleLimit: Moment = 0
    var queueLimit = 0
    var batchLimit = 0
    var isPooled = false
    var isPrepared = true
    /// Whether the server sends no warning when a commit's wait for its standby was cancelled.
    var hidesWarnings = false
    /// The percentage of statements and batches for which there is no memory.
    var memoryShortage = 0
    /// Whether the kernel may report events later than timers fire.
    var isReportLate = false
    /// The percentage of batches whose connection is reset while they are sent.
    var losesAtSending = 0
    /// The network's delay to the database, one way.
    var delay: Moment = 0
    var drainStart: Moment = 0
    /// Whether the drain skips the time for the load balancer, as after Ctrl-C.
    var skipsDelay = false
    var clients: [Client] = []
    var requests: [Request] = []
    var incidents: [Incident] = []
}
