import Reactor

// What statements take from the process's memory.
extension Pool {
    /// Smaller parameters and results are not counted one by one.
    static let uncountedByteLimit = 1024
    /// How often a statement for which there is no memory is looked at again.
    static let memoryPause: UInt64 = 5_000_000
    /// A connection whose buffer has grown is closed so long afterwards, or later, when nothing runs on it then.
    static let shrinkPause: UInt64 = 5_000_000_000
    /// Of the budget, what one batch may take, unless it is a single statement.
    static let batchShare = 16

    /// Counts a statement's parameters for as long as it lives; false when there is no memory for them.
    func hold(_ pending: PendingStatement) -> Bool {
        if pending.parameterByteCount <= Self.uncountedByteLimit { return true }
        pending.reservation = MemoryReservation(pending.parameterByteCount, for: .parameter, of: memory)
        return pending.reservation != nil
    }

    /// Closes connections whose buffers have grown, which libpq never shrinks, and on which nothing runs: others are opened
    /// in their place where the minimum asks for them.
    ///
    /// - Returns: whether one was closed.
    @discardableResult
    func retireGrown() -> Bool {
        var areClosed = false
        for connection in connections.values where connection.hasGrown {
            // One that is in use is looked at again when it becomes idle.
            guard case .idle? = state.slots[connection.identifier] else { continue }
            areClosed = true
            connections[connection.identifier] = nil
            _ = connection.abandon()
            if let replacement = state.lost(connection.identifier) { begin(replacement) }
        }
        if areClosed { hasWork = true }
        return areClosed
    }

    func shrinkSoon() {
        if shrinkDeadline.expiry == nil { loop.arm(shrinkDeadline, at: loop.now + Self.shrinkPause) }
    }
}
