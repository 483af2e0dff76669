/// What a pool reports, at the moment it happens, on its loop.
public enum PoolEvent: Sendable {
    /// A connection opened after `duration` nanoseconds.
    case opened(duration: UInt64)
    /// A connection attempt failed.
    case openFailed(DatabaseError)
    /// An open connection broke or was given up.
    case lost(DatabaseError)
    /// A connection that took the place of a lost one opened.
    case reconnected
    /// The first connection is open: statements are accepted.
    case up
    /// The last connection is gone or the first could not be opened: statements are refused.
    case down(DatabaseError)
    /// A statement waited for its connection.
    case waited(nanoseconds: UInt64)
    /// A statement was answered, from its sending to the confirmed Sync.
    case completed(Statement, nanoseconds: UInt64)
    /// A statement failed.
    case failed(Statement, DatabaseError)
    /// The numbers after a change.
    case load(PoolLoad)
}

/// Connections and waiting statements of one pool, or of several added up.
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
