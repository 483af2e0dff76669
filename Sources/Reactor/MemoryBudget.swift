import Synchronization

/// A limit in bytes for all buffers of a process together: input and bodies, parameters and results of statements,
/// responses that wait for their clients. Safe to use from any thread.
///
/// Memory that clients fill, and can hold until their timeouts, may not use the whole budget: a part is left for
/// statements that are running, so that small requests are served whatever large ones do.
public final class MemoryBudget: Sendable {
    /// The purpose of a reservation; decides up to which share of the budget it is granted.
    public enum Purpose: Sendable {
        /// Minimum memory of an open connection, also while it is idle.
        case connection
        /// A body that is being received, or input behind the request in flight.
        case body
        /// A response that its client has not read yet.
        case answer
        /// Parameters of a statement, from the moment it is queued.
        case parameter
        /// A statement that is being executed: the copies of its parameters, and its result.
        case statement

        /// The share, in sixteenths of the budget; compared with all reserved bytes of any purpose.
        var sixteenths: Int {
            switch self {
            case .body: 11
            case .answer: 12
            // Above the share of bodies and responses, so that new clients are accepted while others hold all of that.
            case .connection: 14
            // Below the whole budget: waiting statements must leave room for those being executed, or no memory would
            // ever be released.
            case .parameter: 14
            case .statement: 16
            }
        }
    }

    /// The minimum budget: its last eighth must hold the parameters and the result of any single statement.
    public static let smallestByteCount = 16 * 1_048_576

    public let limit: Int
    private let taken = Atomic<Int>(0)

    /// - Parameter limit: in bytes.
    public init(limit: Int) {
        precondition(limit > 0, "a budget of \(limit) bytes")
        self.limit = limit
    }

    /// A budget without a limit.
    public static var unlimited: MemoryBudget { MemoryBudget(limit: .max / 16) }

    /// The reserved bytes. May exceed `limit`, because `take` is not refused.
    public var used: Int { taken.load(ordering: .relaxed) }

    /// The bytes that may be reserved for a purpose when nothing else is.
    public func share(of purpose: Purpose) -> Int { limit / 16 * purpose.sixteenths }

    /// Whether `bytes` could be reserved now.
    public func allows(_ bytes: Int, for purpose: Purpose) -> Bool { bytes <= share(of: purpose) - used }

    /// Reserves bytes until `release`; false when there is no room, and then nothing is reserved.
    public func reserve(_ bytes: Int, for purpose: Purpose) -> Bool {
        let sum = taken.wrappingAdd(bytes, ordering: .relaxed).newValue
        if sum <= share(of: purpose) { return true }
        release(bytes)
        return false
    }

    /// Counts bytes that already exist and cannot be refused.
    public func take(_ bytes: Int) {
        taken.wrappingAdd(bytes, ordering: .relaxed)
    }

    public func release(_ bytes: Int) {
        let rest = taken.wrappingSubtract(bytes, ordering: .relaxed).newValue
        assert(rest >= 0, "\(-rest) bytes were released that were not reserved")
    }
}

/// Reserved bytes that are released with the last reference.
public final class MemoryReservation: Sendable {
    public let byteCount: Int
    private let budget: MemoryBudget

    /// Nil when there is no room.
    public init?(_ byteCount: Int, for purpose: MemoryBudget.Purpose, of budget: MemoryBudget) {
        guard budget.reserve(byteCount, for: purpose) else { return nil }
        self.byteCount = byteCount
        self.budget = budget
    }

    /// Takes over bytes that are already reserved.
    public init(takingOver byteCount: Int, of budget: MemoryBudget) {
        self.byteCount = byteCount
        self.budget = budget
    }

    deinit {
        budget.release(byteCount)
    }
}
