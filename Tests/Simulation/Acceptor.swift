import Vial

/// The accept queue of one loop and the state of its acceptor (`Vial.Acceptor`).
struct Acceptor {
    /// Clients whose connection the kernel has opened, in order.
    var queue: [Int] = []
    var isListening = true
    /// Present once the drain closes the service: only clients in the queue are accepted.
    var intake: Drain.Intake?
    /// Clients accepted by the last attempt, if it ended because there was no place.
    var counted: Int?
    /// Clients accepted since the drain began closing.
    var lateCount = 0
    /// No attempt is made before this time.
    var pausedUntil: Moment = 0

    func hasWork(at now: Moment) -> Bool {
        isListening && pausedUntil <= now && (!queue.isEmpty || intake != nil)
    }
}
