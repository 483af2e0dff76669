package import Platform

extension PoolState {
    /// What decisions need to know of one statement, as a plain value. Its SQL, parameters and caller stay with the
    /// performer, under `id`.
    package struct Request: Equatable, Sendable {
        /// Unique among the statements that a pool may still hear of (`StatementTable`).
        package typealias ID = UInt64

        package let id: ID
        package let kind: Statement.Kind
        /// Whether it looks up one row by key; lookups of one batch may be merged into one.
        package let isLookup: Bool
        /// Maximum number of rows it may return.
        package var rows: Int { Int(rowCount) }
        package var parameterByteCount: Int { Int(parameterBytes) }
        package var resultByteLimit: Int { Int(resultBytes) }
        /// When its caller began to wait.
        package let enqueued: Instant
        /// When its caller gives up. The pool lowers it to the end of the statement limit.
        package internal(set) var deadline: Instant

        /// Needs a Sync of its own: because of its kind, because a transaction asks for it, or because its batch
        /// failed.
        package internal(set) var isAlone: Bool
        /// Belongs to a transaction, where nothing is repeated.
        package internal(set) var isOfTransaction = false
        /// Number of times it was queued again after it certainly had no effect.
        package internal(set) var repeats: UInt16 = 0
        /// It was sent, had no effect, and is to run again.
        package internal(set) var hasRun = false
        /// It was stopped by a time limit, perhaps because of another statement of its group. It runs again in a batch of its
        /// own, because the statements behind it would wait for it.
        package internal(set) var mayBeSlow = false
        /// When it was sent last; nil if never.
        package internal(set) var sent: Instant? {
            get { lastSent == Self.never ? nil : lastSent }
            set { lastSent = newValue ?? Self.never }
        }
        /// Its deadline passed while it was in flight, and its caller was already failed.
        package internal(set) var isAnswered = false

        // Narrow, because requests are copied at every step.
        private let rowCount: Int32
        private let parameterBytes: Int32
        private let resultBytes: Int32
        private var lastSent = never
        private static let never = Instant(nanoseconds: 0)

        @inline(__always)
        package init(
            id: ID, kind: Statement.Kind, isLookup: Bool = false, rows: Int = 1, parameterByteCount: Int = 0,
            resultByteLimit: Int = 4096, enqueued: Instant, deadline: Instant = .distantFuture
        ) {
            self.id = id
            self.kind = kind
            self.isLookup = isLookup
            rowCount = Int32(clamping: rows)
            parameterBytes = Int32(clamping: parameterByteCount)
            resultBytes = Int32(clamping: resultByteLimit)
            self.enqueued = enqueued
            self.deadline = deadline
            isAlone = kind == .update
        }

        package var isWrite: Bool { kind != .read }

        /// Whether a Sync separates it from the next statement on the same connection. Reads do not share a Sync with
        /// writes, whose commit may take long.
        package func isApart(from next: Request) -> Bool {
            isAlone || next.isAlone || isWrite != next.isWrite
        }
    }

    /// What decisions need to know of a caller that waits to borrow a connection.
    package struct Lease: Equatable, Sendable {
        /// Unique for the life of the pool.
        package typealias ID = UInt64

        package let id: ID
        package let enqueued: Instant
        /// When its caller gives up. The pool lowers it to the end of the wait limit.
        package internal(set) var deadline: Instant

        package init(id: ID, enqueued: Instant, deadline: Instant = .distantFuture) {
            self.id = id
            self.enqueued = enqueued
            self.deadline = deadline
        }
    }

    /// Statements sent together.
    package struct Batch: Equatable, Sendable {
        package let requests: [Request]
        /// When the first answer on the connection is overdue.
        package let deadline: Instant
        /// The memory they take.
        let size: BatchSize
    }
}
