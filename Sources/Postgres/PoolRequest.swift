package import Platform

extension PoolState {
    /// What the decisions need to know of one statement: a plain value. Its text, its parameters and its caller stay with the
    /// performer, under `id`.
    package struct Request: Equatable, Sendable {
        /// Unique for the life of the pool.
        package typealias ID = UInt64

        package let id: ID
        package let kind: Statement.Kind
        /// Whether it looks up one row by its key; those of one batch may run as one.
        package let isLookup: Bool
        /// How many rows it may return.
        package var rows: Int { Int(rowCount) }
        package var parameterByteCount: Int { Int(parameterBytes) }
        package var resultByteLimit: Int { Int(resultBytes) }
        /// When its caller began to wait.
        package let enqueued: Instant
        /// When its answer is of no use any more. The pool sets it to the end of the statement limit where that comes first.
        package internal(set) var deadline: Instant

        /// It needs a Sync of its own: by its kind, because a transaction asks for it, or because the batch it was in failed.
        package internal(set) var isAlone: Bool
        /// It belongs to a transaction, where nothing runs again.
        package internal(set) var isOfTransaction = false
        /// How often it was queued again after it certainly did nothing.
        package internal(set) var repeats: UInt16 = 0
        /// It was sent, did nothing, and is to run again.
        package internal(set) var hasRun = false
        /// When it was sent last; nil: it was not.
        package internal(set) var sent: Instant? {
            get { lastSent == Self.never ? nil : lastSent }
            set { lastSent = newValue ?? Self.never }
        }
        /// Its deadline passed while it was in flight, and its caller was told so.
        package internal(set) var isAnswered = false

        // It is copied at every step, so it is kept small.
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

        /// Whether a Sync separates it from the one that is sent next on the same connection. Reads do not share that of writes,
        /// whose commit may take its time.
        package func isApart(from next: Request) -> Bool {
            isAlone || next.isAlone || isWrite != next.isWrite
        }
    }

    /// What the decisions need to know of a caller that waits for a connection of its own.
    package struct Lease: Equatable, Sendable {
        /// Unique for the life of the pool.
        package typealias ID = UInt64

        package let id: ID
        package let enqueued: Instant
        /// When a connection is of no use any more. The pool sets it to the end of the wait limit where that comes first.
        package internal(set) var deadline: Instant

        package init(id: ID, enqueued: Instant, deadline: Instant = .distantFuture) {
            self.id = id
            self.enqueued = enqueued
            self.deadline = deadline
        }
    }

    /// Statements that are sent together.
    package struct Batch: Equatable, Sendable {
        package let requests: [Request]
        /// When the first answer on the connection is too late.
        package let deadline: Instant
        /// What they take in memory.
        let size: BatchSize
    }
}
