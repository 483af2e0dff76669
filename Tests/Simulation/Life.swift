/// What one schedule is about: the service's bounds, its clients and what goes wrong. Drawn from the seed before anything happens.
struct Life {
    /// What a request asks for.
    enum Kind: Int, CaseIterable {
        /// Answered at once, without the database.
        case root
        /// A lookup by a key, which may run as one with others.
        case find
        /// A read of several rows.
        case list
        /// An insert, which may run as one with others.
        case create
        /// A statement that may wait for a lock: a transaction of its own.
        case update
        /// BEGIN, an insert, COMMIT on a connection of its own.
        case transaction
        /// A task that takes its time, without the database.
        case task
        /// No such path.
        case unknown
        /// A method that the path does not have; decided before the body.
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
        /// A chunk size that is no number.
        case badChunk
        /// Of more bytes than are taken; some of them are sent.
        case tooLarge
        /// Announced and not sent to its end.
        case unfinished(Int)

        /// Whether the client never sends its end.
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
        /// Of the client, before it sends the request.
        var pause: Moment = 0
        /// It is sent in so many pieces, with this pause between them.
        var pieces = 1
        var piecePause: Moment = 0
        /// Of a task.
        var duration: Moment = 0
        var statement = StatementPlan()
    }

    /// How a statement fares at the server.
    struct StatementPlan {
        enum Verdict {
            case succeeds
            /// By a constraint, whenever it runs.
            case fails
            /// By a constraint that is checked at the commit.
            case failsAtCommit
            /// By a conflict, the first time.
            case conflicts
        }

        var cost: Moment = 0
        var verdict = Verdict.succeeds
        var rows = 1
        var parameterBytes = 40
    }

    enum Farewell: CaseIterable {
        /// Closes when it has all its answers.
        case closes
        /// Finishes sending, and reads on.
        case halfCloses
        /// Leaves the connection to the service.
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
        /// Of a farewell that does not wait for the answers.
        var end: Moment = 0
        /// Of the network, one way.
        var delay: Moment = 0
        /// What the kernels between hold.
        var window = 0
        /// Between two looks for answers.
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
    var idleLimit: Moment = 0
    var queueLimit = 0
    var batchLimit = 0
    var isPooled = false
    var isPrepared = true
    /// The server does not say that a commit's wait was cut short.
    var hidesWarnings = false
    /// So many in a hundred statements and batches find no memory.
    var memoryShortage = 0
    /// The kernel reports events later than timers fire.
    var isReportLate = false
    /// So many in a hundred batches find their connection reset.
    var losesAtSending = 0
    /// Of the way to the database.
    var delay: Moment = 0
    var drainStart: Moment = 0
    /// Somebody waits for the end at a terminal.
    var skipsDelay = false
    var clients: [Client] = []
    var requests: [Request] = []
    var incidents: [Incident] = []
}
