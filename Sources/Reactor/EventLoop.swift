import CLinux
import Glibc
import Platform
import Synchronization

/// One thread with its own epoll set that runs the actors and tasks whose executor it is.
///
/// A turn: run every job, call the end-of-turn hooks, wait for events, report them. Nothing that runs on a loop may
/// block. An actor that names it as `unownedExecutor` needs no lock for its state; a task made with
/// `Task(executorPreference: loop)` also resumes here after a continuation instead of passing through the global pool.
@safe public final class EventLoop: SerialExecutor, TaskExecutor, @unchecked Sendable {
    /// Events fetched by one epoll_wait; more wait for the next turn, so that jobs get theirs in between.
    static let eventBatch = 256
    /// Jobs run in one turn; more wait for the next one, so that a task that only yields does not keep the loop from its events.
    private static let jobBatch = 4096
    /// How much later than asked for the kernel may wake the thread; 50 µs unless it is told, as long as a `linger` may be.
    private static let timerSlackNanoseconds: UInt = 1_000

    /// Descriptors that a loop has open for itself.
    public static let descriptorCount = 2

    /// Which of the process's loops this is, from 0.
    public let index: Int
    /// Nanoseconds of the monotonic clock, read once a turn.
    public private(set) var now: UInt64

    private let epoll: FileDescriptor
    private let wakeup: FileDescriptor
    private let thread = Atomic<UInt>(0)
    private let isWakePending = Atomic<Bool>(false)
    private let inbox = Mutex<[UnownedJob]>([])
    private let isStopping = Atomic<Bool>(false)

    // Everything below belongs to the loop's thread.
    private var ready: [UnownedJob] = []
    private var arrived: [UnownedJob] = []
    private var watched: [Readiness?] = []
    /// Descriptors that are watched.
    public private(set) var watchedCount = 0
    private var lastGeneration: UInt32 = 0
    private var wheel: DeadlineWheel
    /// Deadlines whose moment has passed: they fire after another look for events.
    private var due: [Deadline] = []
    /// Full batches of events that were found since.
    private var fullBatches = 0
    private var turnHooks: [() -> Void] = []
    private var yielded: [() -> Void] = []
    /// For how long this iteration waits for more events, and who asked for that.
    private var lingerSpan: UInt64 = 0
    private var lingerers: [(Int) -> Void] = []
    private let events = UnsafeMutableBufferPointer<epoll_event>.allocate(capacity: EventLoop.eventBatch)

    public init(index: Int) throws(SystemError) {
        self.index = index
        epoll = FileDescriptor(owning: try blockingSystem("epoll_create1") { epoll_create1(Int32(EPOLL_CLOEXEC)) })
        wakeup = FileDescriptor(
            owning: try blockingSystem("eventfd") { eventfd(0, Int32(EFD_NONBLOCK | EFD_CLOEXEC)) })
        now = Self.monotonicNanoseconds()
        wheel = DeadlineWheel(now: now)
        try control(EPOLL_CTL_ADD, wakeup.number, events: EPOLLIN.rawValue, key: Self.wakeupKey)
    }

    deinit {
        unsafe events.deallocate()
    }

    /// Starts the thread; once.
    ///
    /// - Throws: `SystemError` when the system has no thread to give; the loop may be started again then.
    public func start() throws(SystemError) {
        // The thread keeps the loop until it ends.
        do throws(Thread.NoThread) { try Thread.start { self.run() } } catch {
            throw SystemError(errno: error.errno, call: "pthread_create")
        }
    }

    /// Makes the thread end after its turn. Jobs that are enqueued later never run.
    public func stop() {
        isStopping.store(true, ordering: .releasing)
        wake()
    }

    /// The monotonic clock at this moment, in nanoseconds.
    @inline(__always)
    public static func monotonicNanoseconds() -> UInt64 {
        Instant.now.nanoseconds
    }

    public func enqueue(_ job: consuming ExecutorJob) {
        let job = UnownedJob(job)
        if isCurrent {
            ready.append(job)
        } else {
            inbox.withLock { $0.append(job) }
            wake()
        }
    }

    /// Whether the calling thread is the loop's.
    @inline(__always)
    public var isCurrent: Bool { UInt(pthread_self()) == thread.load(ordering: .relaxed) }

    /// Ends the process when the calling thread is not the loop's; in debug builds only.
    @inline(__always)
    public func assertCurrent() {
        assert(isCurrent, "code of loop \(index) runs on another thread")
    }

    /// As `assertCurrent`, for what may also be done before the loop has a thread.
    @inline(__always)
    private func assertOwned() {
        assert(isCurrent || thread.load(ordering: .relaxed) == 0, "code of loop \(index) runs on another thread")
    }

    public func checkIsolated() {
        precondition(isCurrent, "code of loop \(index) runs on another thread")
    }

    public func isIsolatingCurrentContext() -> Bool? { isCurrent }

    /// Starts a task on this loop, for something that lives on it. Called on the loop's thread.
    public func task(_ operation: @escaping () async -> Void) {
        let bound = LoopBound(operation, on: self)
        Task(executorPreference: self) { await bound.value() }
    }

    /// Runs `body` on the loop's thread: at once when it is called there, else as a job, in the order of the calls.
    public func execute(_ body: @escaping @Sendable () -> Void) {
        if isCurrent { return body() }
        Task(executorPreference: self) { body() }
    }

    /// Runs `body` on the loop's thread and returns its value; from any task.
    public func perform<Value: Sendable>(_ body: @escaping @Sendable () -> Value) async -> Value {
        await Task(executorPreference: self) { body() }.value
    }

    /// Suspends any task for `nanoseconds`, at least.
    public func pause(nanoseconds: UInt64) async {
        await Task(executorPreference: self) { await Caller(loop: self).pause(nanoseconds) }.value
    }

    private actor Caller {
        let loop: EventLoop
        nonisolated var unownedExecutor: UnownedSerialExecutor { unsafe loop.asUnownedSerialExecutor() }
        init(loop: EventLoop) { self.loop = loop }
        func pause(_ nanoseconds: UInt64) async { await loop.sleep(nanoseconds: nanoseconds) }
    }

    /// Adds something to do at the end of every turn, before the loop waits. Call it on the loop or before `start`.
    public func atTurnEnd(_ hook: @escaping () -> Void) {
        assertOwned()
        turnHooks.append(hook)
    }

    private func wake() {
        // One write wakes it, however many jobs come before it looks.
        if isWakePending.exchange(true, ordering: .acquiringAndReleasing) { return }
        var one: UInt64 = 1
        // Eight bytes of a local: the eventfd's counter cannot overflow with one write per wake.
        _ = unsafe write(wakeup.number, &one, 8)
    }

    /// Something to do at a moment still to be set. Its action runs on the loop, between jobs.
    public func makeDeadline(_ action: @escaping () -> Void) -> Deadline {
        Deadline(action: action)
    }

    /// Arms or moves a deadline to a moment on the monotonic clock.
    @inline(__always)
    public func arm(_ deadline: Deadline, at expiry: UInt64) {
        assertOwned()
        wheel.arm(deadline, at: expiry)
    }

    public func cancel(_ deadline: Deadline) {
        assertOwned()
        wheel.cancel(deadline)
    }

    /// Deadlines that are armed.
    public var deadlineCount: Int { wheel.count }

    /// Suspends a task that runs on this loop for `nanoseconds`, at least.
    public func sleep(nanoseconds: UInt64) async {
        // The deadline fires once and is kept by the wheel until then.
        await unsafe withUnsafeContinuation { (continuation: UnsafeContinuation<Void, Never>) in
            arm(makeDeadline { unsafe continuation.resume() }, at: Self.monotonicNanoseconds() + nanoseconds)
        }
    }

    /// Calls `action`, once, when the events that are there now were reported.
    public func atNextTurn(_ action: @escaping () -> Void) {
        assertOwned()
        yielded.append(action)
    }

    /// Suspends a task that runs on this loop until the events that are there now were reported.
    public func nextTurn() async {
        // Called once, by the end of this turn.
        await unsafe withUnsafeContinuation { (continuation: UnsafeContinuation<Void, Never>) in
            atNextTurn { unsafe continuation.resume() }
        }
    }

    /// Has this iteration take in what comes within the next moment before it ends: for what its end sends, and what costs less the
    /// more of it is sent at once. The longest of the waits asked for counts.
    ///
    /// - Parameter then: called after the wait with the number of events that it brought, all of which were reported.
    public func linger(for duration: Duration, then: @escaping (Int) -> Void) {
        assertOwned()
        lingerSpan = max(lingerSpan, duration.nanoseconds)
        lingerers.append(then)
    }

    private func linger() {
        sleepThread(nanoseconds: lingerSpan)
        let found = waitForEvents(0) ?? 0
        runJobs()
        lingerSpan = 0
        // Those who ask from now on ask for the next iteration.
        let asked = lingerers
        lingerers.removeAll(keepingCapacity: true)
        for then in asked { then(found) }
    }

    private func resumeYielded() {
        guard !yielded.isEmpty else { return }
        let waiting = yielded
        yielded.removeAll(keepingCapacity: true)
        for action in waiting { action() }
    }

    private static let wakeupKey = UInt64.max

    func watch(_ readiness: Readiness, events: UInt32) throws(SystemError) {
        assertOwned()
        let index = Int(readiness.number)
        while watched.count <= index { watched.append(nil) }
        precondition(watched[index] == nil, "descriptor \(index) is watched already")
        lastGeneration &+= 1
        readiness.generation = lastGeneration
        try control(EPOLL_CTL_ADD, readiness.number, events: events, key: key(of: readiness))
        watched[index] = readiness
        watchedCount += 1
    }

    func rewatch(_ readiness: Readiness, events: UInt32) {
        assertOwned()
        // It is watched, so the kernel can only refuse for a bug of ours.
        do { try control(EPOLL_CTL_MOD, readiness.number, events: events, key: key(of: readiness)) } catch {
            fatalError("\(error)")
        }
    }

    func unwatch(_ readiness: Readiness) {
        assertOwned()
        let index = Int(readiness.number)
        guard index < watched.count, watched[index] === readiness else { return }
        watched[index] = nil
        watchedCount -= 1
        // Closing a descriptor ends its watch too, but a child process may still hold a copy.
        _ = try? control(EPOLL_CTL_DEL, readiness.number, events: 0, key: 0)
    }

    private func key(of readiness: Readiness) -> UInt64 {
        UInt64(readiness.generation) << 32 | UInt64(UInt32(bitPattern: readiness.number))
    }

    private func control(_ operation: Int32, _ number: Int32, events: UInt32, key: UInt64) throws(SystemError) {
        var event = unsafe epoll_event(events: events, data: epoll_data(u64: key))
        // The kernel copies the event before the call returns.
        _ = try blockingSystem("epoll_ctl") { unsafe epoll_ctl(epoll.number, operation, number, &event) }
    }

    private func run() {
        thread.store(UInt(pthread_self()), ordering: .relaxed)
        clinux_name_loop(Int32(index))
        clinux_set_timer_slack(Self.timerSlackNanoseconds)
        while !isStopping.load(ordering: .acquiring) {
            runJobs()
            if !lingerers.isEmpty { linger() }
            for hook in turnHooks { hook() }
            look()
            resumeYielded()
        }
        thread.store(0, ordering: .relaxed)
    }

    /// Waits for events, reports them, and fires the deadlines that had passed before.
    ///
    /// A process that stood still so serves whoever came in time before it calls anybody late: it may come back with events
    /// that the kernel had gathered before the pause, with nothing but a signal, or to more than one batch of them.
    private func look() {
        guard let found = waitForEvents(timeout()) else { return }
        if !due.isEmpty {
            // The kernel takes descriptors in turn: so many batches hold each of them, however much there is to report.
            if found == Self.eventBatch && fullBatches * Self.eventBatch < watchedCount {
                fullBatches += 1
                return
            }
            fullBatches = 0
            for deadline in due { DeadlineWheel.fire(deadline) }
        }
        due = wheel.expired(now: now)
    }

    private func sleepThread(nanoseconds: UInt64) {
        var time = timespec(tv_sec: Int(nanoseconds / 1_000_000_000), tv_nsec: Int(nanoseconds % 1_000_000_000))
        // `time` outlives the call. A signal may end it early, which does no harm.
        _ = unsafe clock_nanosleep(CLOCK_MONOTONIC, 0, &time, nil)
    }

    /// Waits for events and reports them.
    ///
    /// - Returns: how many there were; nil when a signal ended the wait, and there may be others.
    private func waitForEvents(_ milliseconds: Int32) -> Int? {
        // Non-negative: errors other than EINTR are bugs, and that is retried by the next turn.
        let count = unsafe epoll_wait(epoll.number, events.baseAddress, Int32(Self.eventBatch), milliseconds)
        precondition(count >= 0 || errno == EINTR, "epoll_wait: errno \(errno)")
        now = Self.monotonicNanoseconds()
        for position in 0..<max(0, Int(count)) {
            let event = unsafe events[position]
            unsafe report(event.events, key: event.data.u64)
        }
        return count >= 0 ? Int(count) : nil
    }

    private func runJobs() {
        // With the serial executor alone, a task that prefers this loop would be queued again at each call of an actor here.
        let serial = unsafe asUnownedSerialExecutor()
        let task = unsafe asUnownedTaskExecutor()
        var position = 0
        while position < min(ready.count, Self.jobBatch) {
            let job = ready[position]
            position += 1
            unsafe job.runSynchronously(isolatedTo: serial, taskExecutor: task)
        }
        if position == ready.count {
            ready.removeAll(keepingCapacity: true)
        } else {
            ready.removeFirst(position)
        }
    }

    private func report(_ events: UInt32, key: UInt64) {
        if key == Self.wakeupKey {
            acceptArrivals()
            return
        }
        let index = Int(key & 0xFFFF_FFFF)
        // An earlier event of this batch may have closed it, and the number may already be another's.
        guard index < watched.count, let readiness = watched[index], readiness.generation == UInt32(key >> 32) else {
            return
        }
        readiness.report(events)
    }

    private func acceptArrivals() {
        var count: UInt64 = 0
        // Cleared before the inbox is read: a job that comes later writes again.
        _ = unsafe read(wakeup.number, &count, 8)
        isWakePending.store(false, ordering: .sequentiallyConsistent)
        inbox.withLock { swap(&$0, &arrived) }
        ready.append(contentsOf: arrived)
        arrived.removeAll(keepingCapacity: true)
    }

    /// Milliseconds to wait for events: 0 while jobs are ready, or something waits for the next turn, -1 without limit.
    private func timeout() -> Int32 {
        if !ready.isEmpty || !yielded.isEmpty || !due.isEmpty { return 0 }
        guard let look = wheel.nextLook() else { return -1 }
        // Late by this turn's own length at most, which saves reading the clock.
        return look <= now ? 0 : Int32((look - now + 999_999) / 1_000_000)
    }
}
