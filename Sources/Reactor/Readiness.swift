import CLinux

/// Who is told what happens to one descriptor, on its loop's thread, while the loop reports its events: without a task
/// that waits, and so without what its suspension and resumption cost (some 2,500 instructions).
public protocol ReadinessObserver: AnyObject {
    /// A read is worth a try, until it would block.
    func becameReadable()
    /// A write is worth a try, after one that would have blocked.
    func becameWritable()
    /// The moment passed for which the readiness was armed.
    func expired()
}

/// Whether one watched descriptor can be read or written, and who waits for it; an object of its loop.
///
/// Either tasks wait for it, with `untilReadable` and `untilWritable`, or one observer is told.
/// The descriptor is borrowed: its owner calls `cancel` before closing it.
@safe public final class Readiness {
    /// How a wait ended.
    public enum Wake: Sendable {
        case ready
        /// The wait's deadline passed.
        case expired
        /// `interrupt` was called: something else wants the waiter's attention.
        case interrupted
    }

    /// When the loop reports a descriptor.
    public enum Mode: Sendable {
        /// Once for each change: who reads on until it would block is never told twice.
        case edge
        /// At every turn while there is something to read. For libpq, which may stop reading early.
        case level
    }

    let number: Int32
    /// Tells this registration from an earlier one of the same descriptor number.
    var generation: UInt32 = 0
    private let loop: EventLoop
    private let mode: Mode
    /// Whether a read is worth a try: something came since the last one that drained the descriptor.
    public private(set) var mayRead = false
    private var mayWrite = true
    private var observer: (any ReadinessObserver)?
    /// The peer has finished or failed; no further edge comes, so reading stays worth a try.
    private var hungUp = false
    // Resumed exactly once: whoever resumes one takes it out first.
    private var reader: UnsafeContinuation<Wake, Never>?
    private var writer: UnsafeContinuation<Wake, Never>?
    private var wantsWrite = false
    /// The deadline passed while nobody waited for a read: the next such wait has to hear of it.
    private var missedExpiry = false
    /// Until `cancel`: whoever has heard of something in the same turn may still ask for a deadline.
    private var isWatched = true
    private let deadline = Deadline()

    /// Watches an open descriptor on the loop whose thread this is.
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

    /// Has `observer` told from now on, which is kept until `cancel`.
    public func notify(_ observer: any ReadinessObserver) {
        self.observer = observer
    }

    /// Ends the watch and every wait, as interrupted. The descriptor may be closed afterwards.
    public func cancel() {
        observer = nil
        isWatched = false
        loop.unwatch(self)
        disarm()
        wake(.interrupted)
    }

    /// Returns once a read is worth a try; at once when the last one did not drain the descriptor.
    public func untilReadable() async -> Wake {
        if takeMissedExpiry() { return .expired }
        if mayRead { return .ready }
        // The loop resumes it exactly once: `wake` and `report` take it out first.
        return await unsafe withUnsafeContinuation { continuation in
            precondition(unsafe reader == nil, "two waits for one descriptor's reading side")
            unsafe reader = continuation
        }
    }

    /// Has the observer of a level-triggered descriptor told once a write is worth a try, once. By edge it is told by itself.
    public func requestWritable() {
        guard isWatched, !wantsWrite else { return }
        precondition(mode == .level, "an edge tells of room by itself")
        wantsWrite = true
        mayWrite = false
        loop.rewatch(self, events: Self.levelEvents | EPOLLOUT.rawValue)
    }

    /// Returns once a write is worth a try; never as expired. The deadline is the reading side's alone: of two waits that
    /// heard of it, one could take it from the other.
    public func untilWritable() async -> Wake {
        if mode == .level { requestWritable() }
        if mayWrite { return .ready }
        return await unsafe withUnsafeContinuation { continuation in
            precondition(unsafe writer == nil, "two waits for one descriptor's writing side")
            unsafe writer = continuation
        }
    }

    /// A read would block, or came back short: the next one waits for the loop's word.
    @inline(__always)
    public func readDrained() {
        if !hungUp { mayRead = false }
    }

    /// Makes a read worth a try whatever the loop has said: its word may be on its way.
    public func assumeReadable() {
        mayRead = true
    }

    /// A write would block.
    public func writeBlocked() {
        mayWrite = false
    }

    /// Ends the wait for a read that `expiry`, a moment on the loop's clock, finds, or the first one after it: once, unless
    /// the deadline is moved or disarmed before. Never after `cancel`.
    @inline(__always)
    public func arm(expiry: UInt64) {
        // The loop would keep a deadline that outlives what it tells.
        guard isWatched else { return }
        missedExpiry = false
        loop.arm(deadline, at: expiry)
    }

    public func disarm() {
        missedExpiry = false
        loop.cancel(deadline)
    }

    /// Ends the present waits, if there are any.
    public func interrupt() {
        wake(.interrupted)
    }

    private func expire() {
        if let observer {
            observer.expired()
            return
        }
        guard let waiting = unsafe reader else {
            // It may have been told of readiness in this very turn, and not have run yet.
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

    /// The loop's word on what epoll saw.
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
            // An edge of one side reports both.
            let isNews = !mayWrite
            mayWrite = true
            // Before the observer is told, which may ask again. It may also have ended the watch when it was told of a read.
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
