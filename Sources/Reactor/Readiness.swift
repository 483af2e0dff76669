import CLinux
public import Platform

/// Receives the events of one descriptor on its loop's thread, while the loop reports them. Unlike a waiting task, an
/// observer needs no suspension and resumption.
public protocol ReadinessObserver: AnyObject {
    /// A read may succeed; read until it would block.
    func becameReadable()
    /// A write may succeed, after one that would have blocked.
    func becameWritable()
    /// The armed time has passed.
    func expired()
}

/// Whether a watched descriptor can be read or written. Used only on its loop.
///
/// Either tasks wait for it, with `untilReadable` and `untilWritable`, or one observer is notified. The descriptor is
/// borrowed: its owner calls `cancel` before closing it.
@safe public final class Readiness {
    /// The result of a wait.
    public enum Wake: Sendable {
        case ready
        /// The armed time passed.
        case expired
        /// `interrupt` was called.
        case interrupted
    }

    /// When the loop reports a descriptor.
    public enum Mode: Sendable {
        /// Once per change. After a report, read until the read would block.
        case edge
        /// In every iteration while there is something to read. For libpq, which may stop reading early.
        case level
    }

    let number: Int32
    /// Distinguishes this registration from an earlier one of the same descriptor number.
    var generation: UInt32 = 0
    private let loop: EventLoop
    private let mode: Mode
    /// Whether a read may succeed: an event arrived since the last read that drained the descriptor.
    public private(set) var mayRead = false
    private var mayWrite = true
    private var observer: (any ReadinessObserver)?
    /// The peer has closed or the socket failed. No further edge comes, so reads always count as possible.
    private var hungUp = false
    // Resumed exactly once: cleared before it is resumed.
    private var reader: UnsafeContinuation<Wake, Never>?
    private var writer: UnsafeContinuation<Wake, Never>?
    private var wantsWrite = false
    /// The time passed while no task waited for a read; reported to the next wait.
    private var missedExpiry = false
    /// False after `cancel`. Code that runs later in the same iteration may still arm the timer.
    private var isWatched = true
    private let deadline = Deadline()

    /// Watches an open descriptor. Call on the loop's thread.
    public init(_ number: Int32, on loop: EventLoop, mode: Mode = .edge) throws(SystemError) {
        self.number = number
        self.loop = loop
        self.mode = mode
        try loop.watch(self, events: mode == .edge ? Self.edgeEvents : Self.levelEvents)
        deadline.action = { [unowned self] in expire() }
    }

    private static let edgeEvents =
        EPOLLIN.rawValue | EPOLLOUT.rawValue | EPOLLRDHUP.rawValue | EPOLLET.rawValue
    private static let levelEvents = EPOLLIN.rawValue | EPOLLRDHUP.rawValue

    /// Notifies `observer` from now on; it is retained until `cancel`.
    public func notify(_ observer: any ReadinessObserver) {
        self.observer = observer
    }

    /// Ends the watch, and every wait as interrupted. The descriptor may be closed afterwards.
    public func cancel() {
        observer = nil
        isWatched = false
        loop.unwatch(self)
        disarm()
        wake(.interrupted)
    }

    /// Returns when a read may succeed; at once if the last read did not drain the descriptor.
    public func untilReadable() async -> Wake {
        if takeMissedExpiry() { return .expired }
        if mayRead { return .ready }
        // Resumed exactly once: `wake` and `report` clear it first.
        return await unsafe withUnsafeContinuation { continuation in
            precondition(unsafe reader == nil, "two waits for reads of one descriptor")
            unsafe reader = continuation
        }
    }

    /// Notifies the observer of a level-triggered descriptor once when a write may succeed. Edge-triggered observers
    /// are notified without it.
    public func requestWritable() {
        guard isWatched, !wantsWrite else { return }
        precondition(mode == .level, "only a level-triggered descriptor is asked for room")
        wantsWrite = true
        mayWrite = false
        loop.rewatch(self, events: Self.levelEvents | EPOLLOUT.rawValue)
    }

    /// Returns when a write may succeed; never as expired. Only the reading side has a deadline: with two waits, either
    /// could consume the expiry meant for the other.
    public func untilWritable() async -> Wake {
        if mode == .level { requestWritable() }
        if mayWrite { return .ready }
        return await unsafe withUnsafeContinuation { continuation in
            precondition(unsafe writer == nil, "two waits for writes of one descriptor")
            unsafe writer = continuation
        }
    }

    /// Records that a read would block or returned less than was asked for: the next one waits for an event.
    @inline(__always)
    public func readDrained() {
        if !hungUp { mayRead = false }
    }

    /// Lets the next read be tried without an event, which may not have been reported yet.
    public func assumeReadable() {
        mayRead = true
    }

    /// Records that a write would block.
    public func writeBlocked() {
        mayWrite = false
    }

    /// Sets the time, on the loop's clock, at which the current wait for a read, or else the next one, ends as expired.
    /// It fires once, unless it is moved or disarmed before, and never after `cancel`.
    @inline(__always)
    public func arm(expiry: Instant) {
        // The loop would retain a timer that outlives this object's watch.
        guard isWatched else { return }
        missedExpiry = false
        loop.arm(deadline, at: expiry)
    }

    public func disarm() {
        missedExpiry = false
        loop.cancel(deadline)
    }

    /// Ends the current waits as interrupted.
    public func interrupt() {
        wake(.interrupted)
    }

    private func expire() {
        if let observer {
            observer.expired()
            return
        }
        guard let waiting = unsafe reader else {
            // The task may have been resumed in this iteration and not have run yet.
            missedExpiry = true
            return
        }
        unsafe reader = nil
        unsafe waiting.resume(returning: .expired)
    }

    @inline(__always)
    private func takeMissedExpiry() -> Bool {
        let missed = missedExpiry
        missedExpiry = false
        return missed
    }

    private func wake(_ reason: Wake) {
        if let waiting = unsafe reader {
            unsafe reader = nil
            unsafe waiting.resume(returning: reason)
        }
        if let waiting = unsafe writer {
            unsafe writer = nil
            unsafe waiting.resume(returning: reason)
        }
    }

    /// Called by the loop with the events that epoll reported.
    func report(_ events: UInt32) {
        let failed = events & (EPOLLHUP.rawValue | EPOLLERR.rawValue) != 0
        if failed || events & EPOLLRDHUP.rawValue != 0 { hungUp = true }
        if hungUp || events & EPOLLIN.rawValue != 0 {
            mayRead = mode == .edge
            observer?.becameReadable()
            if let waiting = unsafe reader {
                unsafe reader = nil
                unsafe waiting.resume(returning: .ready)
            }
        }
        if failed || events & EPOLLOUT.rawValue != 0 {
            // An edge for one direction reports both.
            let isNews = !mayWrite
            mayWrite = true
            // Before notifying the observer, which may ask again. It may also have ended the watch when it was notified
            // of a read.
            if wantsWrite && isWatched { loop.rewatch(self, events: Self.levelEvents) }
            wantsWrite = false
            if isNews { observer?.becameWritable() }
            if let waiting = unsafe writer {
                unsafe writer = nil
                unsafe waiting.resume(returning: .ready)
            }
        }
    }
}
