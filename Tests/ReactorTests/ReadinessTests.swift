import Glibc
import Platform
import Testing

@testable import Reactor

@Suite(.timeLimit(.minutes(1)))
struct ReadinessTests {
    /// Runs `body` on a loop with a pair whose near end is watched.
    private func watching(
        mode: Readiness.Mode = .edge,
        _ body: @Sendable (isolated Resident, SocketPair, Readiness) async throws -> Void
    ) async throws {
        try await withLoop { loop in
            try await Resident(on: loop).run { resident in
                let pair = SocketPair()
                let readiness = try Readiness(pair.near.number, on: loop, mode: mode)
                defer { readiness.cancel() }
                try await body(resident, pair, readiness)
            }
        }
    }

    /// The result of a wait of at most 50 ms.
    private static func briefly(_ resident: isolated Resident, _ readiness: Readiness) async -> Readiness.Wake {
        readiness.arm(expiry: Instant.now + .milliseconds(50))
        defer { readiness.disarm() }
        return await readiness.untilReadable()
    }

    @Test(arguments: [Readiness.Mode.edge, .level])
    func `a read becomes ready when data arrives`(mode: Readiness.Mode) async throws {
        try await watching(mode: mode) { resident, pair, readiness in
            for round in 0..<20 {
                Task(executorPreference: resident.loop) { try send("\(round)", to: pair.far) }
                #expect(await readiness.untilReadable() == .ready)
                let text = try receive(from: pair.near)
                #expect(text == "\(round)")
                readiness.readDrained()
            }
            #expect(await Self.briefly(resident, readiness) == .expired)
        }
    }

    @Test func `edge-triggered, a descriptor that was not drained is ready at once`() async throws {
        try await watching { resident, pair, readiness in
            try send("abc", to: pair.far)
            #expect(await readiness.untilReadable() == .ready)
            #expect(try receive(from: pair.near, atMost: 1) == "a")
            #expect(await readiness.untilReadable() == .ready)
            #expect(try receive(from: pair.near) == "bc")
            readiness.readDrained()
            #expect(await Self.briefly(resident, readiness) == .expired)
        }
    }

    @Test func `level-triggered, unread data is reported again`() async throws {
        try await watching(mode: .level) { resident, pair, readiness in
            try send("abc", to: pair.far)
            for letter in ["a", "b", "c"] {
                #expect(await readiness.untilReadable() == .ready)
                #expect(try receive(from: pair.near, atMost: 1) == letter)
            }
            #expect(await Self.briefly(resident, readiness) == .expired)
        }
    }

    @Test(arguments: [Readiness.Mode.edge, .level])
    func `the end of the stream stays ready`(mode: Readiness.Mode) async throws {
        try await watching(mode: mode) { resident, pair, readiness in
            pair.far.shutdownWrite()
            for _ in 0..<3 {
                #expect(await readiness.untilReadable() == .ready)
                let end = try receive(from: pair.near)
                #expect(end == "")
                readiness.readDrained()
            }
        }
    }

    @Test(arguments: [Readiness.Mode.edge, .level])
    func `a blocked write becomes ready when the peer reads`(mode: Readiness.Mode) async throws {
        try await watching(mode: mode) { resident, pair, readiness in
            let bytes = [UInt8](repeating: 0x78, count: 1 << 16)
            var sent = 0
            for _ in 0..<3 {
                // The kernel copies the bytes before the call returns.
                while case .done(let count) = try unsafe bytes.withUnsafeBytes({ try unsafe pair.near.send($0) }) {
                    sent += count
                }
                readiness.writeBlocked()
                let drained = Task(executorPreference: resident.loop) {
                    var count = 0
                    while let text = try receive(from: pair.far, atMost: 1 << 16) { count += text.utf8.count }
                    return count
                }
                #expect(await readiness.untilWritable() == .ready)
                sent -= try await drained.value
            }
            #expect(sent == 0)
        }
    }

    /// Records each notification; calls `then` after a read notification.
    private final class Witness: ReadinessObserver {
        private let log: Log<String>
        private let then: () -> Void
        init(_ log: Log<String>, then: @escaping () -> Void = {}) {
            self.log = log
            self.then = then
        }
        func becameReadable() {
            log.note("readable")
            then()
        }
        func becameWritable() { log.note("writable") }
        func expired() { log.note("expired") }
    }

    @Test func `an observer is notified of what a task would wait for`() async throws {
        try await watching { resident, pair, readiness in
            let log = Log<String>()
            readiness.notify(Witness(log))
            try send("x", to: pair.far)
            while log.entries.count < 1 { await resident.loop.nextTurn() }
            #expect(readiness.mayRead)
            readiness.readDrained()
            #expect(!readiness.mayRead)
            readiness.arm(expiry: Instant.now)
            while log.entries.count < 2 { await resident.loop.pause(for: .milliseconds(1)) }
            readiness.cancel()
            try send("y", to: pair.far)
            for _ in 0..<3 { await resident.loop.nextTurn() }
            #expect(log.entries == ["readable", "expired"])
        }
    }

    @Test func `an observer of a level-triggered descriptor is notified of room after each request`() async throws {
        try await watching(mode: .level) { resident, pair, readiness in
            let log = Log<String>()
            readiness.notify(Witness(log))
            for count in 1...3 {
                readiness.requestWritable()
                readiness.requestWritable()
                while log.entries.count < count { await resident.loop.nextTurn() }
                for _ in 0..<3 { await resident.loop.nextTurn() }
                #expect(log.entries == Array(repeating: "writable", count: count))
            }
        }
    }

    @Test func `an observer may end the watch when notified of a read, even while it waits for room`()
        async throws
    {
        try await watching(mode: .level) { resident, pair, readiness in
            let log = Log<String>()
            readiness.notify(Witness(log) { readiness.cancel() })
            readiness.requestWritable()
            try send("x", to: pair.far)
            while log.entries.isEmpty { await resident.loop.nextTurn() }
            for _ in 0..<3 { await resident.loop.nextTurn() }
            #expect(log.entries == ["readable"])
        }
    }

    /// One event that the loop has received when its thread is held, and `others` more that arrive while it is held.
    @Test(.serialized, arguments: [1, 2 * EventLoop.eventBatch + 10])
    func `data that arrives during a suspension is reported before a timer that expired meanwhile`(others: Int)
        async throws
    {
        // The scheduler decides whether the thread is held before it reports its event.
        var order: [String]?
        while order == nil { order = try await Self.orderAroundStandstill(others: others) }
        #expect(order == Array(repeating: "readable", count: others + 1) + ["expired"])
    }

    /// The order in which a loop that is held with one event reports it, a timer that this event arms, and the others
    /// that arrive meanwhile; nil if it had reported the event before it was held.
    private static func orderAroundStandstill(others: Int) async throws -> [String]? {
        try await withLoop { loop in
            try await withLoop { outside in
                let log = Log<String>()
                let early = Log<[String]>()
                let standstill = await Standstill(of: loop)
                let counters = (0...others).map { _ in Counter() }
                let watches = try await Resident(on: loop).run { _ in
                    let watches = try counters.map { try Readiness($0.descriptor.number, on: loop) }
                    for readiness in watches { readiness.notify(Witness(log)) }
                    watches[0].notify(
                        Witness(log) {
                            loop.arm(loop.makeDeadline { log.note("expired") }, at: standstill.began)
                        })
                    return LoopBound(watches, on: loop)
                }
                await outside.perform {
                    standstill.begin { counters[0].increment() }
                    early.note(log.entries)
                    for counter in counters.dropFirst() { counter.increment() }
                    // Long enough that the time has also passed in the wheel.
                    usleep(useconds_t(4 << DeadlineWheel.tickShift) / 1000)
                    standstill.end()
                }
                while !log.entries.contains("expired") { await loop.pause(for: .milliseconds(1)) }
                await loop.perform { for readiness in watches.value { readiness.cancel() } }
                return early.entries == [[]] ? log.entries : nil
            }
        }
    }

    @Test func `an observer is notified of room only after a write that would have blocked`()
        async throws
    {
        try await watching { resident, pair, readiness in
            let log = Log<String>()
            readiness.notify(Witness(log))
            let bytes = [UInt8](repeating: 0x78, count: 1 << 16)
            // The kernel copies the bytes before the call returns.
            while case .done = try unsafe bytes.withUnsafeBytes({ try unsafe pair.near.send($0) }) {}
            readiness.writeBlocked()
            while log.entries.isEmpty {
                _ = try receive(from: pair.far, atMost: 1 << 16)
                await resident.loop.nextTurn()
            }
            try send("x", to: pair.far)
            while log.entries.count < 2 { await resident.loop.nextTurn() }
            #expect(log.entries == ["writable", "readable"])
        }
    }

    @Test func `a descriptor with room is writable`() async throws {
        for mode in [Readiness.Mode.edge, .level] {
            try await watching(mode: mode) { resident, pair, readiness in
                #expect(await readiness.untilWritable() == .ready)
            }
        }
    }

    @Test func `interrupt and cancel end the waits`() async throws {
        try await watching { resident, pair, readiness in
            readiness.interrupt()
            resident.loop.task { readiness.interrupt() }
            #expect(await readiness.untilReadable() == .interrupted)
            resident.loop.task { readiness.cancel() }
            #expect(await readiness.untilReadable() == .interrupted)
            readiness.cancel()
        }
    }

    @Test func `the timer ends a wait, never early, and only once`() async throws {
        try await watching { resident, pair, readiness in
            let expiry = Instant.now + .milliseconds(30)
            readiness.arm(expiry: expiry)
            #expect(await readiness.untilReadable() == .expired)
            #expect(Instant.now >= expiry)
            try send("x", to: pair.far)
            #expect(await readiness.untilReadable() == .ready)
        }
    }

    @Test func `a timer that expires without a wait ends the next wait`() async throws {
        try await watching { resident, pair, readiness in
            readiness.arm(expiry: Instant.now)
            await resident.loop.sleep(for: .milliseconds(60))
            #expect(await readiness.untilReadable() == .expired)
            readiness.arm(expiry: Instant.now)
            await resident.loop.sleep(for: .milliseconds(60))
            // Moved since, so the old time does not count.
            readiness.arm(expiry: Instant.now + .milliseconds(10_000))
            try send("x", to: pair.far)
            #expect(await readiness.untilReadable() == .ready)
        }
    }

    @Test func `a timer that expires without a wait ends one wait only`() async throws {
        try await watching { resident, pair, readiness in
            let count = resident.loop.deadlineCount
            readiness.arm(expiry: Instant.now)
            while resident.loop.deadlineCount > count { await resident.loop.nextTurn() }
            // The timer fires after another check for events.
            await resident.loop.nextTurn()
            #expect(await readiness.untilReadable() == .expired)
            try send("x", to: pair.far)
            #expect(await readiness.untilReadable() == .ready)
        }
    }

    @Test(arguments: [Readiness.Mode.edge, .level])
    func `a timer that expires during a wait for a write ends the next wait for a read`(
        mode: Readiness.Mode
    ) async throws {
        try await watching(mode: mode) { resident, pair, readiness in
            try Self.fill(pair.near)
            readiness.writeBlocked()
            let bound = LoopBound(readiness, on: resident.loop)
            let writer = Task(executorPreference: resident.loop) { await bound.value.untilWritable() }
            await resident.loop.nextTurn()
            readiness.arm(expiry: Instant.now)
            await resident.loop.sleep(for: .milliseconds(60))
            try send("x", to: pair.far)
            #expect(await readiness.untilReadable() == .expired)
            while try receive(from: pair.far, atMost: 1 << 16) != nil {}
            #expect(await writer.value == .ready)
        }
    }

    @Test func `a wait for a write does not take the timer from the reader`() async throws {
        try await watching { resident, pair, readiness in
            readiness.arm(expiry: Instant.now)
            await resident.loop.sleep(for: .milliseconds(60))
            #expect(await readiness.untilWritable() == .ready)
            try send("x", to: pair.far)
            #expect(await readiness.untilReadable() == .expired)
        }
    }

    /// Sends until the socket's buffer is full.
    private static func fill(_ socket: borrowing FileDescriptor) throws {
        let bytes = [UInt8](repeating: 0x78, count: 1 << 16)
        // The kernel copies the bytes before the call returns.
        while case .done = try unsafe bytes.withUnsafeBytes({ try unsafe socket.send($0) }) {}
    }

    @Test func `a timer armed after cancel never expires`() async throws {
        try await watching { resident, pair, readiness in
            let count = resident.loop.deadlineCount
            readiness.cancel()
            readiness.arm(expiry: Instant.now)
            #expect(resident.loop.deadlineCount == count)
        }
    }

    @Test func `a disarmed timer ends no wait`() async throws {
        try await watching { resident, pair, readiness in
            readiness.arm(expiry: Instant.now + .milliseconds(1))
            readiness.disarm()
            Task(executorPreference: resident.loop) {
                await resident.run { await $0.loop.sleep(for: .milliseconds(60)) }
                try send("x", to: pair.far)
            }
            #expect(await readiness.untilReadable() == .ready)
        }
    }

    @Test func `a reused descriptor number is not confused with its former owner`() async throws {
        try await withLoop { loop in
            try await Resident(on: loop).run { resident in
                let first = SocketPair()
                // The number that is closed and reused; no other code uses it in between.
                let number = dup(first.near.number)
                let former = try Readiness(number, on: loop)
                try send("for the former owner", to: first.far)
                let second = SocketPair()
                former.cancel()
                try #require(dup2(second.near.number, number) == number)
                let readiness = try Readiness(number, on: loop)
                #expect(await Self.briefly(resident, readiness) == .expired)
                // A late cancel of the former owner does not affect the new one.
                former.cancel()
                try send("x", to: second.far)
                #expect(await readiness.untilReadable() == .ready)
                readiness.cancel()
                close(number)
            }
        }
    }

    @Test func `many descriptors are distinguished`() async throws {
        try await withLoop { loop in
            try await Resident(on: loop).run { resident in
                let pairs = (0..<300).map { _ in SocketPair() }
                let all = try pairs.map { try Readiness($0.near.number, on: loop) }
                let ready = Log<Int>()
                let waiting = all.enumerated().map { index, readiness in
                    let bound = LoopBound(readiness, on: loop)
                    return Task(executorPreference: loop) {
                        if await bound.value.untilReadable() == .ready { ready.note(index) }
                    }
                }
                for index in stride(from: 0, to: 300, by: 3) { try send("x", to: pairs[index].far) }
                while ready.entries.count < 100 { await loop.sleep(for: .nanoseconds(0)) }
                #expect(ready.entries.sorted() == Array(stride(from: 0, to: 300, by: 3)))
                for readiness in all { readiness.cancel() }
                for task in waiting { await task.value }
            }
        }
    }

    @Test func `watching a regular file is an error`() async throws {
        try await withLoop { loop in
            await Resident(on: loop).run { resident in
                // A regular file is always ready, so epoll refuses it.
                let number = unsafe open("/proc/self/exe", O_RDONLY | O_CLOEXEC)
                let file = FileDescriptor(owning: number)
                #expect(throws: SystemError(errno: EPERM, call: "epoll_ctl")) { try Readiness(number, on: loop) }
                _ = consume file
            }
        }
    }

    @Test func `traps on two waits for the same side`() async {
        await #expect(processExitsWith: .failure) {
            try await withLoop { loop in
                try await Resident(on: loop).run { resident in
                    let pair = SocketPair()
                    let readiness = try Readiness(pair.near.number, on: loop)
                    loop.task { _ = await readiness.untilReadable() }
                    loop.task { _ = await readiness.untilReadable() }
                    await loop.sleep(for: .nanoseconds(5_000 * 1_000_000))
                }
            }
        }
    }
}
