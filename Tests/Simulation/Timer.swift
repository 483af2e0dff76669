/// One deadline of a loop, with the semantics of `Reactor.Deadline`: once expired it fires after one more poll for events, unless it
/// is moved or cancelled before.
struct Timer {
    private(set) var expiry: Moment = .max
    private(set) var isDue = false

    @inline(__always)
    mutating func arm(at moment: Moment, lastLook: Moment) {
        // It fires nevertheless: an owner that arms it for a past moment in every iteration would otherwise postpone it forever.
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
