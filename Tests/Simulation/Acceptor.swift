import Vial

/// The accept queue of one loop, and how far its acceptor is: the state of `Vial.Acceptor`.
struct Acceptor {
    /// Clients whose connection the kernel has opened, the first one first.
    var queue: [Int] = []
    var isListening = true
    /// Present once the drain closes: only who is in the queue is taken in.
    var intake: Drain.Intake?
    /// How many clients the last attempt took in, which ended because there was no place.
    var counted: Int?
    /// How many were taken in since the drain closes.
    var lateCount = 0
    /// It makes no attempt before.
    var pausedUntil: Moment = 0

    func hasWork(at now: Moment) -> Bool {
        isListening && pausedUntil <= now && (!queue.isEmpty || intake != nil)
    }
}
