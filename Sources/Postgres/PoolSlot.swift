package import Platform

extension PoolState {
    /// The state of a connection.
    package enum Use: Equatable, Sendable {
        /// Being opened, off the loop. Becomes `idle` on success; is removed on failure or when the pool closes.
        case connecting
        /// Open, with nothing in flight. Becomes `batch` when statements wait and `leased` when a transaction does.
        /// Removed when idle for too long, found broken, retired, or when the pool closes.
        case idle(since: Instant)
        /// Statements are in flight, or a cancel request must reach the server before more may be sent. Becomes `idle`
        /// when neither holds any more, and `ending` or removed when the connection is lost.
        case batch
        /// Lent to one transaction. Becomes `batch` when the transaction returns it, and `ending` or removed when it is
        /// lost before.
        case leased
        /// Closed here while a cancel request for its statements is in progress. The server still counts the
        /// connection, so it keeps its place. Removed when the server has received the request or the request was given
        /// up.
        case ending(since: Instant)
    }

    /// The state of one connection that decisions depend on.
    struct Slot {
        let id: Int
        fileprivate(set) var use: Use
        var isPooled = false
        /// Sent and not yet confirmed by a Sync, in sending order.
        var inFlight: [Request] = []
        /// Errors the server reported for statements in flight.
        var refusals: [Refusal] = []
        var commitError: DatabaseError?
        /// Statements of a transaction, held back while a cancel request is in progress, because it might stop them.
        var held: [Request] = []
        /// Whether the server still has to answer something.
        var isBusy = false
        var hasGrown = false
        var cancellation = Cancellation()
        /// Why to close the connection as soon as it would become idle; nil if it stays.
        var retirement: DatabaseError?
        /// When the first answer, or a cancel request, is overdue.
        var deadline = Instant.distantFuture
        /// When the last answer is overdue among all that was sent since nothing was in flight. Nothing is owed after
        /// it.
        var lastDeadline = Instant(nanoseconds: 0)

        /// The server's error for one statement.
        struct Refusal {
            let id: Request.ID
            let error: DatabaseError
            /// The statement was prepared when the connection was opened.
            let isPrepared: Bool
            /// The statement ran merged with others, any one of which may have caused the error.
            let isShared: Bool

            /// Whether the connection's prepared statements are outdated; the statement itself is valid then.
            var isStale: Bool { error.isStalePlan || error.isMissingObject && isPrepared }
        }

        init(connecting id: Int) {
            self.id = id
            use = .connecting
        }

        var isOpen: Bool {
            switch use {
            case .idle, .batch, .leased: true
            case .connecting, .ending: false
            }
        }

        var isIdle: Bool { if case .idle = use { true } else { false } }
    }

    /// When the timers fire, as far as decisions depend on it. Timers of connections are in their slots.
    struct Timers {
        private var wait: Instant?
        private var grow: Instant?
        private var retry: Instant?
        private var idle: Instant?
        private var shrink: Instant?

        subscript(timer: Timer) -> Instant? {
            get {
                switch timer {
                case .wait: wait
                case .grow: grow
                case .retry: retry
                case .idle: idle
                case .shrink: shrink
                case .connection: nil
                }
            }
            set {
                switch timer {
                case .wait: wait = newValue
                case .grow: grow = newValue
                case .retry: retry = newValue
                case .idle: idle = newValue
                case .shrink: shrink = newValue
                case .connection: break
                }
            }
        }
    }

    /// All connections, in the order in which opening began, with counts by use. The only place that assigns a `Use`.
    struct Slots {
        private(set) var all: [Slot] = []
        private(set) var connectingCount = 0
        private(set) var endingCount = 0
        /// Idle connections, the most recently used last. That one is reused first, so that the others can time out.
        private(set) var idle: [Int] = []
        private var lastID = 0

        /// Connections that are open or being opened.
        var liveCount: Int { all.count - endingCount }
        var openCount: Int { liveCount - connectingCount }

        func index(of id: Int) -> Int? {
            // A linear search: there are few connections.
            for index in all.indices where all[index].id == id { return index }
            return nil
        }

        subscript(index: Int) -> Slot {
            _read { yield all[index] }
            _modify { yield &all[index] }
        }

        /// Adds a connection that is being opened.
        mutating func add() -> Int {
            lastID += 1
            all.append(Slot(connecting: lastID))
            connectingCount += 1
            return lastID
        }

        /// The only transition function between uses.
        mutating func change(_ index: Int, to use: Use) {
            let id = all[index].id
            switch (all[index].use, use) {
            case (.connecting, .idle): connectingCount -= 1
            case (.batch, .idle): break
            case (.idle, .batch), (.idle, .leased): idle.removeAll { $0 == id }
            case (.leased, .batch): break
            case (.batch, .ending), (.leased, .ending): endingCount += 1
            case (let old, _): fatalError("connection \(id) would become \(use) while \(old)")
            }
            if case .idle = use { idle.append(id) }
            all[index].use = use
        }

        mutating func remove(_ index: Int) {
            let id = all[index].id
            switch all[index].use {
            case .connecting: connectingCount -= 1
            case .ending: endingCount -= 1
            case .idle: idle.removeAll { $0 == id }
            case .batch, .leased: break
            }
            all.remove(at: index)
        }
    }
}
