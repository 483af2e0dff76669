import CLinux
import Glibc
public import Platform
import Synchronization

/// A thread with an epoll set. It runs the actors and tasks whose executor it is.
///
/// One iteration runs all jobs, calls the end-of-iteration hooks, waits for events and reports them. Code on a loop
/// must not block. An actor that returns the loop as `unownedExecutor` needs no lock; a task created with
/// `Task(executorPreference: loop)` resumes here after a continuation instead of on the global pool.
@safe public final class EventLoop: SerialExecutor, TaskExecutor, @unchecked Sendable {
    /// Events per epoll_wait; more are left to the next iteration, so that jobs run in between.
    static let eventBatch = 256
    /// Jobs per iteration; more are left to the next one, so that a task that only yields does not delay events.
    private static let jobBatch = 4096

    /// Descriptors that each loop keeps open.
    public static let descriptorCount = 2

    /// The loop's number within the process, from 0.
    public let index: Int
    /// The monotonic clock, read once per iteration.
    public private(set) var now: Instant

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
    private var watchedCount = 0
    private var lastGeneration: UInt32 = 0
    private var wheel: DeadlineWheel
    /// Timers whose time has passed; they fire after another check for events.
    private var due: [Deadline] = []
    /// Full batches of events found since these timers became due.
    private var fullBatches = 0
    private var turnHooks: [() -> Void] = []
    private var yielded: [() -> Void] = []
    private let events = UnsafeMutableBufferPointer<epoll_event>.allocate(capacity: EventLoop.eventBatch)

    public init(index: Int) throws(SystemError) {
        self.index = index
        epoll = FileDescriptor(owning: try blockingSystem("epoll_create1") { epoll_create1(Int32(EPOLL_CLOEXEC)) })
        wakeup = FileDescriptor(
            owning: try blockingSystem("eventfd") { eventfd(0, Int32(EFD_NONBLOCK | EFD_CLOEXEC)) })
        now = Instant.now
        wheel = DeadlineWheel(now: now.nanoseconds)
        try control(EPOLL_CTL_ADD, wakeup.number, events: EPOLLIN.rawValue, key: Self.wakeupKey)
    }

    deinit {
        unsafe events.deallocate()
    }

    /// Starts the thread. Call once.
    ///
    /// - Throws: `SystemError` when the system cannot create a thread; `start` may be called again then.
    public func start() throws(SystemError) {
        // The thread retains the loop until it ends.
        do throws(Thread.NoThread) { try Thread.start { self.run() } } catch {
            throw SystemError(errno: error.errno, call: "pthread_create")
        }
    }

    /// Ends the thread after the current iteration. Jobs enqueued later never run.
    public func stop() {
        isStopping.store(true, ordering: .releasing)
        wake()
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

    /// Traps when the calling thread is not the loop's; in debug builds only.
    @inline(__always)
    public func assertCurrent() {
        assert(isCurrent, "code of loop \(index) runs on another thread")
    }

    /// As `assertCurrent`, but also allowed before the loop has a thread.
    @inline(__always)
    private func assertOwned() {
        assert(isCurrent || thread.load(ordering: .relaxed) == 0, "code of loop \(index) runs on another thread")
    }

    public func checkIsolated() {
        precondition(isCurrent, "code of loop \(index) runs on another thread")
    }

    public func isIsolatingCurrentContext() -> Bool? { isCurrent }

    /// Starts a task on this loop. Call on the loop's thread.
    public func task(_ operation: @escaping () async -> Void) {
        let bound = LoopBound(operation, on: self)
        Task(executorPreference: self) { await bound.value() }
    }

    /// Runs `body` on the loop's thread: at once when called there, otherwise as a job, in the order of the calls.
    public func execute(_ body: @escaping @Sendable () -> Void) {
        if isCurrent { return body() }
        Task(executorPreference: self) { body() }
    }

    /// Runs `body` on the loop's thread and returns its value. May be called from any task.
    public func perform<Value: Sendable>(_ body: @escaping @Sendable () -> Value) async -> Value {
        await Task(executorPreference: self) { body() }.value
    }

    /// Suspends any task for at least `duration`.
    public func pause(for duration: Duration) async {
        await Task(executorPreference: self) { await Caller(loop: self).pause(duration) }.value
    }

    private actor Caller {
        let loop: EventLoop
        nonisolated var unownedExecutor: UnownedSerialExecutor { unsafe loop.asUnownedSerialExecutor() }
        init(loop: EventLoop) { self.loop = loop }
        func pause(_ duration: Duration) async { await loop.sleep(for: duration) }
    }

    /// Adds a hook called at the end of every iteration, before the loop waits. Call on the loop, or before `start`.
    public func atTurnEnd(_ hook: @escaping () -> Void) {
        assertOwned()
        turnHooks.append(hook)
    }

    private func wake() {
        // One write wakes the loop, however many jobs arrive before it reads them.
        if isWakePending.exchange(true, ordering: .acquiringAndReleasing) { return }
        var one: UInt64 = 1
        // Writes the eight bytes of a local; with one write per wake the eventfd's counter cannot overflow.
        _ = unsafe write(wakeup.number, &one, 8)
    }

    /// Makes an unarmed timer. Its action runs on the loop, between jobs.
    public func makeDeadline(_ action: @escaping () -> Void) -> Deadline {
        Deadline(action: action)
    }

    /// Arms or moves a timer; it fires at `expiry` or shortly after.
    @inline(__always)
    public func arm(_ deadline: Deadline, at expiry: Instant) {
        assertOwned()
        wheel.arm(deadline, at: expiry.nanoseconds)
    }

    public func cancel(_ deadline: Deadline) {
        assertOwned()
        wheel.cancel(deadline)
    }

    /// Number of armed timers.
    public var deadlineCount: Int { wheel.count }

    /// Suspends a task that runs on this loop for at least `duration`.
    public func sleep(for duration: Duration) async {
        // The timer fires once, and the wheel retains it until then.
        await unsafe withUnsafeContinuation { (continuation: UnsafeContinuation<Void, Never>) in
            arm(makeDeadline { unsafe continuation.resume() }, at: Instant.now + duration)
        }
    }

    /// Calls `action` once, after the events available now have been reported.
    public func atNextTurn(_ action: @escaping () -> Void) {
        assertOwned()
        yielded.append(action)
    }

    /// Suspends a task that runs on this loop until the events available now have been reported.
    public func nextTurn() async {
        // Resumed once, at the end of this iteration.
        await unsafe withUnsafeContinuation { (continuation: UnsafeContinuation<Void, Never>) in
            atNextTurn { unsafe continuation.resume() }
        }
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
        // The descriptor is being watched, so only a bug of ours can make the kernel refuse.
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
        // Closing a descriptor also ends its watch, unless a child process still holds a copy.
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
        while !isStopping.load(ordering: .acquiring) {
            runJobs()
            for hook in turnHooks { hook() }
            look()
            resumeYielded()
        }
        thread.store(0, ordering: .relaxed)
    }

    /// Waits for events, reports them, and then fires the timers that were due before.
    ///
    /// After a suspension of the process, data that arrived in time must be seen before its timeout fires. `epoll_wait`
    /// may then return events that the kernel had collected before the pause, be interrupted by a signal, or return
    /// only the first of several batches.
    private func look() {
        guard let found = waitForEvents(timeout()) else { return }
        if !due.isEmpty {
            // The kernel reports descriptors in turn, so this many full batches have covered each of them.
            if found == Self.eventBatch && fullBatches * Self.eventBatch < watchedCount {
                fullBatches += 1
                return
            }
            fullBatches = 0
            for deadline in due { DeadlineWheel.fire(deadline) }
        }
        due = wheel.expired(now: now.nanoseconds)
    }

    /// Waits for events and reports them.
    ///
    /// - Returns: the number of events; nil when a signal ended the wait, and there may be more.
    private func waitForEvents(_ milliseconds: Int32) -> Int? {
        // Errors other than EINTR are bugs; after EINTR the next iteration waits again.
        let count = unsafe epoll_wait(epoll.number, events.baseAddress, Int32(Self.eventBatch), milliseconds)
        precondition(count >= 0 || errno == EINTR, "epoll_wait: errno \(errno)")
        now = Instant.now
        for position in 0..<max(0, Int(count)) {
            let event = unsafe events[position]
            unsafe report(event.events, key: event.data.u64)
        }
        return count >= 0 ? Int(count) : nil
    }

    private func runJobs() {
        // With the serial executor alone, a task that prefers this loop would be enqueued again at each call of an
        // actor on it.
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
        // An earlier event of this batch may have closed the descriptor, and its number may be in use again.
        guard index < watched.count, let readiness = watched[index], readiness.generation == UInt32(key >> 32) else {
            return
        }
        readiness.report(events)
    }

    private func acceptArrivals() {
        var count: UInt64 = 0
        // Cleared before the inbox is read, so that a job that arrives later writes again.
        _ = unsafe read(wakeup.number, &count, 8)
        isWakePending.store(false, ordering: .sequentiallyConsistent)
        inbox.withLock { swap(&$0, &arrived) }
        ready.append(contentsOf: arrived)
        arrived.removeAll(keepingCapacity: true)
    }

    /// Milliseconds to wait for events: 0 while jobs are ready or an action waits for the next iteration, -1 for no
    /// limit.
    private func timeout() -> Int32 {
        if !ready.isEmpty || !yielded.isEmpty || !due.isEmpty { return 0 }
        guard let look = wheel.nextLook() else { return -1 }
        // `now` is at most one iteration old; using it avoids reading the clock.
        let now = now.nanoseconds
        return look <= now ? 0 : Int32((look - now + 999_999) / 1_000_000)
    }
}
