/// One deadline of a loop, as `Reactor.Deadline` and its wheel: what has expired fires one look for events later, unless it
/// is moved or cancelled before.
struct Timer {
    private(set) var expiry: Moment = .max
    private(set) var isDue = false

    @inline(__always)
    mutating func arm(at moment: Moment, lastLook: Moment) {
        // It fires all the same: who arms it at every turn for a moment that has passed would else put it off for ever.
        if isDue && moment <= lastLook { return }
        expiry = moment
        isDue = false
    }

    mutating func cancel() {
        expiry = .max
        isDue = false
    }

    /// - Returns: whether it is due from now on.
    @inline(__always)
    mutating func look(at now: Moment) -> Bool {
        if expiry <= now { isDue = true }
        return isDue
    }

    /// - Returns: whether its action runs.
    mutating func fire() -> Bool {
        guard isDue else { return false }
        cancel()
        return true
    }
}
