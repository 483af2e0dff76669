package import Platform

extension PoolState {
    /// What a connection is doing.
    package enum Use: Equatable, Sendable {
        /// It is being opened, off the loop. Becomes `idle` when that succeeds, and is removed when it fails or the pool closes.
        case connecting
        /// It is open and nothing is in flight. Becomes `batch` when statements wait and `leased` when a transaction does. Is removed
        /// when it is idle for too long, found broken, retired, or the pool closes.
        case idle(since: Instant)
        /// Statements are in flight, or a cancel request has to be heard before others may follow. Becomes `idle` when neither is so
        /// any more, and `ending` or removed when it is lost.
        case batch
        /// One transaction has it. Becomes `batch` when that returns it, and `ending` or removed when it is lost before.
        case leased
        /// It is closed here while a cancel request for what it ran is on its way: the server still counts it, so it keeps its place.
        /// Is removed when the request was heard or given up.
        case ending(since: Instant)
    }

    /// One connection of the pool, by what the decisions need to know of it.
    struct Slot {
        let id: Int
        fileprivate(set) var use: Use
        var isPooled = false
        /// Sent, and not yet decided by a Sync, in this order.
        var inFlight: [Request] = []
        /// Of those, what the server refused.
        var refusals: [Refusal] = []
        var commitError: DatabaseError?
        /// Of a transaction: what it asked for while a cancel request was on its way, which might have stopped it.
        var held: [Request] = []
        /// Whether the server owes anything.
        var isBusy = false
        var hasGrown = false
        var cancellation = Cancellation()
        /// Why it is closed as soon as it would be idle; nil: it is not.
        var retirement: DatabaseError?
        /// When the first answer is too late, or a cancel request is.
        var deadline = Instant.distantFuture
        /// When the last answer is too late of what was sent since nothing was in flight: then the server owes nothing any more.
        var lastDeadline = Instant(nanoseconds: 0)

        /// The server's error for one statement.
        struct Refusal {
            let id: Request.ID
            let error: DatabaseError
            /// It was prepared when the connection was opened.
            let isPrepared: Bool
            /// It ran as one with others, one of which may be at fault alone.
            let isShared: Bool

            /// Whether the connection's prepared statements are outdated, and nothing is wrong with the statement.
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

    /// The moments of the timers, as far as decisions depend on them: that of a connection is its slot's.
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

    /// The connections in the order in which their opening began, counted by their use. The one place that assigns a `Use`.
    struct Slots {
        private(set) var all: [Slot] = []
        private(set) var connectingCount = 0
        private(set) var endingCount = 0
        /// The idle ones, the one used last at the end: it is used first, so that the others can be closed.
        private(set) var idle: [Int] = []
        private var lastID = 0

        /// Open or being opened.
        var liveCount: Int { all.count - endingCount }
        var openCount: Int { liveCount - connectingCount }

        func index(of id: Int) -> Int? {
            // There are few.
            for index in all.indices where all[index].id == id { return index }
            return nil
        }

        subscript(index: Int) -> Slot {
            _read { yield all[index] }
            _modify { yield &all[index] }
        }

        /// A place for one more connection, which is being opened.
        mutating func add() -> Int {
            lastID += 1
            all.append(Slot(connecting: lastID))
            connectingCount += 1
            return lastID
        }

        /// The only way from one use to another.
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
