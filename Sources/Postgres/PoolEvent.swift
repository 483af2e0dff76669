/// What a pool reports when it happens, on its loop.
public enum PoolEvent: Sendable {
    /// A connection was opened; took `duration` nanoseconds.
    case opened(duration: UInt64)
    /// A connection attempt failed.
    case openFailed(DatabaseError)
    /// An open connection broke or was given up.
    case lost(DatabaseError)
    /// A connection that replaces a lost one was opened.
    case reconnected
    /// The first connection is open: statements are accepted.
    case up
    /// The last connection is gone, or the first one could not be opened: statements are refused.
    case down(DatabaseError)
    /// How long a statement waited for a connection.
    case waited(nanoseconds: UInt64)
    /// A statement was answered. The time is from sending to the confirmed Sync.
    case completed(Statement, nanoseconds: UInt64)
    /// A statement failed.
    case failed(Statement, DatabaseError)
    /// The counts after a change.
    case load(PoolLoad)
}

/// Counts of connections and waiting statements, of one pool or summed over several.
public struct PoolLoad: Equatable, Sendable {
    public var idle = 0
    public var inUse = 0
    public var waiting = 0

    public init() {}

    public var open: Int { idle + inUse }

    public static func + (left: PoolLoad, right: PoolLoad) -> PoolLoad {
        var sum = left
        sum.idle += right.idle
        sum.inUse += right.inUse
        sum.waiting += right.waiting
        return sum
    }
}
