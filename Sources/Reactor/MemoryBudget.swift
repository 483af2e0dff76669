import Synchronization

/// The bytes that the buffers of a process may take together: bodies and inputs, parameters and results of statements,
/// answers that wait for their clients. Safe to use from any thread.
///
/// What clients fill, and can hold for as long as their own time limits are, leaves room for the statements that are on
/// their way, so that those who send and ask for little are served whatever the others do.
public final class MemoryBudget: Sendable {
    /// What bytes are for, and with it up to which part of the budget they may be taken.
    public enum Purpose: Sendable {
        /// What every open connection takes, also while it is idle.
        case connection
        /// A body that is being received, or what was received before its turn.
        case body
        /// An answer that its client has not read yet.
        case answer
        /// Parameters of a statement, from the moment it is asked for.
        case parameter
        /// What a statement takes that is on its way: the copies of its parameters, and its result.
        case statement

        /// In sixteenths of the budget, whatever the bytes that are taken already are for.
        var sixteenths: Int {
            switch self {
            case .body: 11
            case .answer: 12
            // Whoever comes while others hold all that clients may is still taken in.
            case .connection: 14
            // What waits leaves room for what is sent, or nothing would ever give back what it takes.
            case .parameter: 14
            case .statement: 16
            }
        }
    }

    /// The smallest that works: its last eighth holds the parameters and the result of any one statement.
    public static let smallestByteCount = 16 * 1_048_576

    public let limit: Int
    private let taken = Atomic<Int>(0)

    /// - Parameter limit: in bytes.
    public init(limit: Int) {
        precondition(limit > 0, "a budget of \(limit) bytes")
        self.limit = limit
    }

    /// One that nothing exceeds.
    public static var unlimited: MemoryBudget { MemoryBudget(limit: .max / 16) }

    /// The bytes that are taken; above `limit` by what was not refused.
    public var used: Int { taken.load(ordering: .relaxed) }

    /// How many bytes may be taken by what has this purpose, and nothing else.
    public func share(of purpose: Purpose) -> Int { limit / 16 * purpose.sixteenths }

    /// Whether so many bytes could be taken at this moment.
    public func allows(_ bytes: Int, for purpose: Purpose) -> Bool { bytes <= share(of: purpose) - used }

    /// Takes bytes, which are given back by `release`; false when there is no room for them, and nothing was taken.
    public func reserve(_ bytes: Int, for purpose: Purpose) -> Bool {
        let sum = taken.wrappingAdd(bytes, ordering: .relaxed).newValue
        if sum <= share(of: purpose) { return true }
        release(bytes)
        return false
    }

    /// Takes bytes that are there already and cannot be refused any more.
    public func take(_ bytes: Int) {
        taken.wrappingAdd(bytes, ordering: .relaxed)
    }

    public func release(_ bytes: Int) {
        let rest = taken.wrappingSubtract(bytes, ordering: .relaxed).newValue
        assert(rest >= 0, "\(-rest) bytes were given back that nobody took")
    }
}

/// Bytes of a budget that are given back when the last reference to them goes.
public final class MemoryReservation: Sendable {
    public let byteCount: Int
    private let budget: MemoryBudget

    /// Nil when there is no room for them.
    public init?(_ byteCount: Int, for purpose: MemoryBudget.Purpose, of budget: MemoryBudget) {
        guard budget.reserve(byteCount, for: purpose) else { return nil }
        self.byteCount = byteCount
        self.budget = budget
    }

    /// Takes over bytes that were reserved before.
    public init(takingOver byteCount: Int, of budget: MemoryBudget) {
        self.byteCount = byteCount
        self.budget = budget
    }

    deinit {
        budget.release(byteCount)
    }
}
