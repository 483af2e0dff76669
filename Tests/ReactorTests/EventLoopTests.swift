import Glibc
import Platform
import Synchronization
import Testing

@testable import Reactor

@Suite(.timeLimit(.minutes(1)))
struct EventLoopTests {
    @Test func `the jobs of an actor run on the loop's thread`() async throws {
        try await withLoop { loop in
            #expect(loop.isIsolatingCurrentContext() == false)
            let resident = Resident(on: loop)
            let threads = await resident.run { resident in
                resident.loop.checkIsolated()
                let first = pthread_self()
                await Task.yield()
                return [first, pthread_self()]
            }
            #expect(threads[0] == threads[1])
            #expect(threads[0] != pthread_self())
            await loop.perform { resident.assumeIsolated { #expect($0.loop.isIsolatingCurrentContext() == true) } }
        }
    }

    /// Resumes on a thread that the loop does not know.
    private static func resumeElsewhere() async {
        await withCheckedContinuation { continuation in
            Task.detached { continuation.resume() }
        }
    }

    @Test func `a task that prefers the loop resumes on it after a continuation`() async throws {
        try await withLoop { loop in
            for _ in 0..<100 {
                let places = await Task(executorPreference: loop) {
                    let before = loop.isIsolatingCurrentContext()
                    await Self.resumeElsewhere()
                    return [before, loop.isIsolatingCurrentContext()]
                }.value
                #expect(places == [true, true])
            }
        }
    }

    @Test func `child tasks inherit the preference`() async throws {
        try await withLoop { loop in
            let places = await Task(executorPreference: loop) {
                await withTaskGroup { group in
                    for _ in 0..<10 { group.addTask { loop.isIsolatingCurrentContext() } }
                    return await group.reduce(into: []) { $0.append($1) }
                }
            }.value
            #expect(places == Array(repeating: true, count: 10))
        }
    }

    @Test func `nextTurn returns after one whole iteration`() async throws {
        try await withLoop { loop in
            let turns = Log<Int>()
            // Without the preference it would resume on another thread, several iterations later.
            await Task(executorPreference: loop) {
                loop.atTurnEnd { turns.note(0) }
                for expected in 1...10 {
                    await loop.nextTurn()
                    #expect(turns.entries.count == expected)
                }
            }.value
        }
    }

    @Test func `a call between two actors of the loop needs no further iteration`() async throws {
        actor Callee {
            let loop: EventLoop
            let log: Log<String>
            nonisolated var unownedExecutor: UnownedSerialExecutor { unsafe loop.asUnownedSerialExecutor() }
            init(on loop: EventLoop, log: Log<String>) {
                self.loop = loop
                self.log = log
            }
            func note(_ entry: String) { log.note(entry) }
        }
        try await withLoop { loop in
            let log = Log<String>()
            let callee = Callee(on: loop, log: log)
            let resident = Resident(on: loop)
            await Task(executorPreference: loop) {
                // Queued before the calls, but must run after them.
                let other = Task(executorPreference: loop) { log.note("another job") }
                await callee.note("from the task")
                await resident.run { _ in await callee.note("from an actor") }
                await other.value
            }.value
            #expect(log.entries == ["from the task", "from an actor", "another job"])
        }
    }

    @Test func `jobs from many threads all run, one at a time`() async throws {
        actor Counter {
            let loop: EventLoop
            var count = 0
            nonisolated var unownedExecutor: UnownedSerialExecutor { unsafe loop.asUnownedSerialExecutor() }
            init(on loop: EventLoop) { self.loop = loop }
            func increment() { count += 1 }
        }
        try await withLoop { loop in
            let counter = Counter(on: loop)
            await withTaskGroup { group in
                for _ in 0..<50 {
                    group.addTask {
                        for _ in 0..<200 { await counter.increment() }
                    }
                }
            }
            #expect(await counter.count == 10_000)
        }
    }

    @Test func `perform runs on the loop's thread and waits`() async throws {
        try await withLoop { loop in
            let places = Log<Bool?>()
            await loop.perform { places.note(loop.isIsolatingCurrentContext()) }
            #expect(places.entries == [true])
        }
    }

    @Test(arguments: [0, 1, 5 * milliseconds, 60 * milliseconds])
    func `pause lasts at least as long as asked`(nanoseconds: UInt64) async throws {
        try await withLoop { loop in
            let start = Instant.now
            await loop.pause(for: .nanoseconds(nanoseconds))
            let elapsed = Instant.now.nanoseconds(since: start)
            #expect(elapsed >= nanoseconds)
        }
    }

    @Test func `sleeps end in the order of their times`() async throws {
        try await withLoop { loop in
            let resident = Resident(on: loop)
            let moments = await resident.run { resident in
                let moments = Log<Instant>()
                await withTaskGroup { group in
                    for pause in [120, 40, 80, 0] {
                        group.addTask {
                            await resident.run { _ in
                                let duration = Duration.milliseconds(pause)
                                let moment = Instant.now + duration
                                await loop.sleep(for: duration)
                                moments.note(moment)
                            }
                        }
                    }
                }
                return moments.entries
            }
            // Sleeps within one tick of the wheel end together.
            #expect(
                zip(moments, moments.dropFirst()).allSatisfy {
                    $0 < $1.advanced(byNanoseconds: 1 << DeadlineWheel.tickShift)
                })
            #expect(moments.count == 4)
        }
    }

    @Test func `a timer's action runs once, on the loop, and not after cancel`() async throws {
        try await withLoop { loop in
            let resident = Resident(on: loop)
            let fired = Log<String>()
            await resident.run { resident in
                let note = { (name: String) in fired.note(loop.isIsolatingCurrentContext() == true ? name : "") }
                let kept = loop.makeDeadline { note("kept") }
                let cancelled = loop.makeDeadline { note("cancelled") }
                let now = Instant.now
                loop.arm(kept, at: now + .milliseconds(10))
                loop.arm(cancelled, at: now + .milliseconds(10))
                #expect(loop.deadlineCount == 2)
                loop.cancel(cancelled)
                await loop.sleep(for: .milliseconds(100))
                #expect(loop.deadlineCount == 0)
            }
            #expect(fired.entries == ["kept"])
        }
    }

    @Test func `end-of-iteration hooks run after the jobs, and jobs they create run before the loop waits`()
        async throws
    {
        try await withLoop { loop in
            let resident = Resident(on: loop)
            let log = Log<String>()
            await resident.run { resident in
                var rounds = 0
                loop.atTurnEnd {
                    rounds += 1
                    guard rounds == 1 else { return }
                    log.note("end of turn")
                    // Nothing else wakes the loop for this job.
                    Task(executorPreference: loop) { log.note("made at the end") }
                }
                for _ in 0..<3 {
                    Task(executorPreference: loop) { log.note("job") }
                }
            }
            while log.entries.count < 5 { await loop.perform {} }
            #expect(log.entries == ["job", "job", "job", "end of turn", "made at the end"])
        }
    }

    @Test func `a task that yields lets all queued jobs run first`() async throws {
        try await withLoop { loop in
            let resident = Resident(on: loop)
            let log = Log<String>()
            await resident.run { resident in
                Task(executorPreference: loop) { log.note("job") }
                await loop.nextTurn()
                log.note("next turn")
            }
            #expect(log.entries == ["job", "next turn"])
        }
    }

    @Test func `a task that keeps yielding does not delay timers`() async throws {
        final class Flag: Sendable {
            let isUp = Atomic(false)
        }
        try await withLoop { loop in
            let flag = Flag()
            let wasUp = await Task(executorPreference: loop) {
                loop.arm(loop.makeDeadline { flag.isUp.store(true, ordering: .relaxed) }, at: loop.now)
                // Waits five seconds at most.
                let limit = Instant.now + .milliseconds(5000)
                while !flag.isUp.load(ordering: .relaxed), Instant.now < limit {
                    await Task.yield()
                }
                return flag.isUp.load(ordering: .relaxed)
            }.value
            #expect(wasUp)
        }
    }

    @Test func `the clock advances from iteration to iteration`() async throws {
        try await withLoop { loop in
            let resident = Resident(on: loop)
            let (before, after) = await resident.run { resident in
                let before = loop.now
                await loop.sleep(for: .milliseconds(20))
                return (before, loop.now)
            }
            #expect(after >= before + .milliseconds(20))
            #expect(after <= Instant.now)
        }
    }

    @Test func `a stopped loop is released`() async throws {
        weak var trace: EventLoop?
        try await withLoop { loop in
            trace = loop
            await loop.perform {}
        }
        let end = Instant.now + .milliseconds(10_000)
        while trace != nil && Instant.now < end { await Task.yield() }
        #expect(trace == nil)
    }

    @Test func `traps when code of the loop runs on another thread`() async {
        await #expect(processExitsWith: .failure) {
            let loop = try EventLoop(index: 0)
            try loop.start()
            loop.checkIsolated()
        }
    }
}
