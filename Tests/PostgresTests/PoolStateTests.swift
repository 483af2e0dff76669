import Testing

@testable import Postgres

struct PoolStateTests {
    private static let millisecond: UInt64 = 1_000_000
    private static let start: UInt64 = 1_000_000_000_000

    private static func state(_ minimum: Int = 0, _ maximum: Int = 4) -> PoolState {
        PoolState(limits: .init(minimum: minimum, maximum: maximum))
    }

    /// A state with one open, idle connection, number 1.
    private static func open(maximum: Int = 4) -> PoolState {
        var state = state(0, maximum)
        if case .connect(let identifier) = state.next(oldest: start, now: start) {
            state.connected(identifier, now: start)
        }
        return state
    }

    // Starting.

    @Test func `opens the minimum at once, and nothing without one`() {
        var state = Self.state(3)
        #expect(state.refill() == [1, 2, 3])
        #expect(state.refill() == [])
        #expect(state.openCount == 0 && state.slots.count == 3)
        var lazy = Self.state(0)
        #expect(lazy.refill() == [])
    }

    @Test func `statements wait until the first attempt is decided`() {
        var state = Self.state(1)
        #expect(state.availability == .unknown)
        #expect(state.refusal(waiting: 0) == nil)
        #expect(state.refill() == [1])
        #expect(state.next(oldest: Self.start, now: Self.start) == .wait(until: nil))
        state.connected(1, now: Self.start)
        #expect(state.availability == .up)
        #expect(state.next(oldest: Self.start, now: Self.start) == .use(1))
    }

    @Test func `without a minimum the first statement opens a connection at once`() {
        var state = Self.state()
        #expect(state.next(oldest: Self.start, now: Self.start) == .connect(1))
        #expect(state.next(oldest: Self.start, now: Self.start) == .wait(until: nil))
    }

    // Sharing out.

    @Test func `uses the connection that was used last, so that the others can go`() {
        var state = Self.state(3)
        for identifier in state.refill() { state.connected(identifier, now: Self.start) }
        #expect(state.next(oldest: 0, now: Self.start) == .use(3))
        #expect(state.next(oldest: 0, now: Self.start) == .use(2))
        state.finished(3, now: Self.start)
        #expect(state.next(oldest: 0, now: Self.start) == .use(3))
        #expect(state.lease() == 1)
        #expect(state.lease() == nil)
        #expect(state.slots == [1: .leased, 2: .busy, 3: .busy])
        #expect(state.idleCount == 0 && state.inUseCount == 3 && state.openCount == 3)
    }

    @Test func `grows only when somebody has waited, by one at a time, up to the maximum`() {
        var state = Self.open(maximum: 3)
        #expect(state.next(oldest: Self.start, now: Self.start) == .use(1))
        let enough = Self.start + state.limits.growAfter
        #expect(state.next(oldest: Self.start, now: Self.start) == .wait(until: enough))
        #expect(state.next(oldest: Self.start, now: enough - 1) == .wait(until: enough))
        #expect(state.next(oldest: Self.start, now: enough) == .connect(2))
        #expect(state.next(oldest: Self.start, now: enough + 1) == .wait(until: nil))
        state.connected(2, now: enough)
        #expect(state.next(oldest: Self.start, now: enough) == .use(2))
        #expect(state.next(oldest: Self.start, now: enough) == .connect(3))
        state.connected(3, now: enough)
        #expect(state.next(oldest: Self.start, now: enough) == .use(3))
        #expect(state.next(oldest: Self.start, now: enough * 2) == .wait(until: nil))
        #expect(state.slots.count == 3)
    }

    @Test func `the queue has a limit`() {
        var state = Self.open()
        #expect(state.refusal(waiting: state.limits.queueLimit - 1) == nil)
        #expect(state.refusal(waiting: state.limits.queueLimit) == .queueFull)
    }

    // Failing.

    @Test func `when the only attempt failed it is down and refuses at once`() throws {
        var state = Self.state(1)
        let retry = state.refill().first.flatMap { state.connectFailed($0, now: Self.start, jitter: 1) }
        #expect(state.availability == .down)
        #expect(retry == Self.start + PoolState.firstPause)
        #expect(state.refusal(waiting: 0) == .unavailable)
        #expect(state.next(oldest: 0, now: Self.start * 2) == .wait(until: nil))
        #expect(state.refill() == [])
        #expect(state.retry() == 2)
        #expect(state.retry() == nil)
        state.connected(2, now: Self.start)
        #expect(state.availability == .up)
        #expect(state.refusal(waiting: 0) == nil)
    }

    @Test func `retries without a minimum, too, or it would be down for ever`() {
        var state = Self.state(0)
        #expect(state.next(oldest: 0, now: Self.start) == .connect(1))
        #expect(state.connectFailed(1, now: Self.start, jitter: 0) != nil)
        #expect(state.retry() == 2)
    }

    @Test(arguments: [true, false])
    func `the pause doubles up to its limit, a shorter one when somebody asks`(isWanted: Bool) {
        var state = Self.state(1)
        var identifier = state.refill().first
        var pause = PoolState.firstPause
        let limit = isWanted ? PoolState.busyPauseLimit : PoolState.idlePauseLimit
        #expect(limit == (isWanted ? 500 : 5_000) * Self.millisecond)
        for attempt in 1...40 {
            if isWanted && attempt > 1 { #expect(state.refusal(waiting: 0) == .unavailable) }
            let retry = identifier.flatMap { state.connectFailed($0, now: Self.start, jitter: 1) }
            #expect(retry == Self.start + min(pause, limit), "attempt \(attempt)")
            #expect(state.failures == attempt)
            pause = min(pause * 2, 1 << 60)
            identifier = state.retry()
        }
        identifier.map { state.connected($0, now: Self.start) }
        #expect(state.failures == 0)
    }

    @Test func `a server that is full is left alone for longer`() {
        var state = Self.state(1)
        let identifier = state.refill()[0]
        let retry = state.connectFailed(identifier, isCrowded: true, now: Self.start, jitter: 1)
        #expect(retry == Self.start + PoolState.crowdedPause)
    }

    @Test func `all connections are opened anew once in a while at most`() {
        var state = Self.state(1)
        let pause = PoolState.retirementPause
        let moments: [UInt64] = [0, 1, pause - 1, pause, pause + 1, 2 * pause]
        let allowed = moments.map { state.mayRetireGeneration(now: Self.start + $0) }
        #expect(allowed == [true, false, false, true, false, true])
    }

    @Test(arguments: [0, 0.001, 0.25, 0.5, 0.999, 1])
    func `jitter spreads the pause, which is never shorter than half the first`(jitter: Double) throws {
        var state = Self.state(1)
        var identifier = try #require(state.refill().first)
        var pause = PoolState.firstPause
        for _ in 0..<20 {
            let moment = state.connectFailed(identifier, now: Self.start, jitter: jitter)
            let retry = try #require(moment)
            #expect(retry >= Self.start + PoolState.firstPause / 2)
            #expect(retry <= Self.start + max(PoolState.firstPause / 2, UInt64(Double(pause) * jitter) + 1))
            pause = min(pause * 2, PoolState.idlePauseLimit)
            let next = state.retry()
            identifier = try #require(next)
        }
    }

    @Test func `a failed attempt to grow leaves it up, and the next one waits for its pause`() {
        var state = Self.open(maximum: 3)
        #expect(state.next(oldest: 0, now: Self.start) == .use(1))
        #expect(state.next(oldest: 0, now: Self.start) == .connect(2))
        let retry = state.connectFailed(2, now: Self.start, jitter: 1)
        #expect(retry == Self.start + PoolState.firstPause)
        #expect(state.availability == .up)
        #expect(state.next(oldest: 0, now: Self.start + 1) == .wait(until: retry))
        // The minimum is there, so only a waiting statement opens another one.
        #expect(state.retry() == nil)
        #expect(state.next(oldest: 0, now: Self.start + PoolState.firstPause) == .connect(3))
    }

    // Losing.

    @Test func `a lost connection is replaced when the minimum is not there any more`() {
        var state = Self.state(2)
        for identifier in state.refill() { state.connected(identifier, now: Self.start) }
        #expect(state.lost(1) == 3)
        // One attempt at a time; the rest follows when it succeeds.
        #expect(state.lost(2) == nil)
        #expect(state.availability == .up)
        #expect(state.refusal(waiting: 0) == nil)
        state.connected(3, now: Self.start)
        #expect(state.refill() == [4])
    }

    @Test func `the last one is replaced without a minimum, too, and one above it is not`() {
        var state = Self.open()
        #expect(state.lost(1) == 2)
        state.connected(2, now: Self.start)
        #expect(state.next(oldest: 0, now: Self.start) == .use(2))
        #expect(state.next(oldest: 0, now: Self.start) == .connect(3))
        state.connected(3, now: Self.start)
        #expect(state.lost(2) == nil)
        #expect(state.idleCount == 1)
        #expect(state.next(oldest: 0, now: Self.start) == .use(3))
    }

    @Test func `a lost idle connection is never handed out`() {
        var state = Self.state(2)
        for identifier in state.refill() { state.connected(identifier, now: Self.start) }
        #expect(state.lost(2) == 3)
        #expect(state.next(oldest: 0, now: Self.start) == .use(1))
        #expect(state.lease() == nil)
        #expect(state.lost(1) == nil)
    }

    @Test func `down after two attempts to replace the last connection failed, not before`() {
        var state = Self.open()
        #expect(state.lost(1) == 2)
        #expect(state.availability == .up)
        #expect(state.connectFailed(2, now: Self.start, jitter: 0.5) == Self.start + PoolState.firstPause / 2)
        #expect(state.availability == .up)
        #expect(state.retry() == 3)
        #expect(state.connectFailed(3, now: Self.start, jitter: 0.5) != nil)
        #expect(state.availability == .down)
    }

    @Test func `one attempt that nobody answered is enough to be down`() {
        var state = Self.open()
        #expect(state.lost(1) == 2)
        _ = state.connectFailed(2, took: PoolState.quickAttempt + 1, now: Self.start, jitter: 0.5)
        #expect(state.availability == .down)
    }

    @Test func `when another pool has found the database, statements wait for one attempt more`() {
        var state = Self.state(1)
        #expect(state.refill() == [1])
        _ = state.connectFailed(1, now: Self.start, jitter: 1)
        #expect(state.refusal(waiting: 0) == .unavailable)
        #expect(state.expectReturn() == 2)
        #expect(state.refusal(waiting: 0) == nil)
        let moment = state.connectFailed(2, now: Self.start, jitter: 1)
        #expect(moment == Self.start + PoolState.firstPause)
        #expect(state.refusal(waiting: 0) == nil)
        #expect(state.retry() == 3)
        _ = state.connectFailed(3, now: Self.start, jitter: 1)
        #expect(state.refusal(waiting: 0) == .unavailable)
    }

    @Test func `an attempt that is on its way is the one that is waited for`() {
        var state = Self.state(1)
        _ = state.refill()
        _ = state.connectFailed(1, now: Self.start, jitter: 1)
        #expect(state.retry() == 2)
        #expect(state.expectReturn() == nil)
        #expect(state.refusal(waiting: 0) == nil)
        #expect(state.next(oldest: 0, now: Self.start) == .wait(until: nil))
    }

    @Test func `a pool that has the database, or closes, expects no return`() {
        var state = Self.open()
        #expect(state.expectReturn() == nil)
        state.close()
        #expect(state.expectReturn() == nil)
        #expect(state.availability == .closing)
    }

    // Shrinking and closing.

    @Test func `closes what was idle for long, down to the minimum, the longest idle first`() {
        var state = Self.state(1, 4)
        for identifier in state.refill() { state.connected(identifier, now: Self.start) }
        for _ in 0..<3 {
            while case .use = state.next(oldest: 0, now: Self.start) {}
            let connecting = state.slots.first { $0.value == .connecting }
            if let connecting { state.connected(connecting.key, now: Self.start) }
        }
        #expect(state.openCount == 4)
        #expect(state.idleCount == 1)
        for identifier in 1...3 { state.finished(identifier, now: Self.start + UInt64(identifier)) }
        let limit = state.limits.idleLimit
        #expect(state.retireIdle(now: Self.start + limit - 1) == [])
        #expect(state.retireIdle(now: Self.start + limit) == [4])
        #expect(state.retireIdle(now: Self.start + limit + 1) == [1])
        #expect(state.retireIdle(now: Self.start + 2 * limit) == [2])
        #expect(state.retireIdle(now: Self.start + 9 * limit) == [])
        #expect(state.openCount == 1 && state.idleCount == 1)
        #expect(state.next(oldest: 0, now: Self.start) == .use(3))
    }

    @Test func `a busy or leased connection is never retired`() {
        var state = Self.state(0)
        #expect(state.next(oldest: 0, now: Self.start) == .connect(1))
        state.connected(1, now: Self.start)
        #expect(state.lease() == 1)
        #expect(state.retireIdle(now: Self.start * 100) == [])
        state.finished(1, now: Self.start * 100)
        #expect(state.retireIdle(now: Self.start * 100) == [])
        #expect(state.retireIdle(now: Self.start * 100 + state.limits.idleLimit) == [1])
        #expect(state.slots.isEmpty)
    }

    @Test func `closing refuses and opens nothing, but what is open goes on`() {
        var state = Self.state(2)
        for identifier in state.refill() { state.connected(identifier, now: Self.start) }
        #expect(state.next(oldest: 0, now: Self.start) == .use(2))
        state.close()
        #expect(state.refusal(waiting: 0) == .closing)
        #expect(state.next(oldest: 0, now: Self.start) == .use(1))
        #expect(state.next(oldest: 0, now: Self.start * 2) == .wait(until: nil))
        state.finished(2, now: Self.start)
        #expect(state.inUseCount == 1)
        #expect(state.lost(2) == nil)
        #expect(state.refill() == [])
        #expect(state.retry() == nil)
    }

    @Test func `an attempt that ends after closing changes nothing`() {
        var state = Self.state(2)
        let attempts = state.refill()
        state.close()
        #expect(state.connectFailed(attempts[0], now: Self.start, jitter: 1) == nil)
        state.connected(attempts[1], now: Self.start)
        #expect(state.availability == .closing)
        #expect(state.refusal(waiting: 0) == .closing)
    }

    // Connections that were given up, on which the server may still work.

    /// A state with as many connections as may be, all busy.
    private static func full(_ maximum: Int) -> PoolState {
        var state = state(maximum, maximum)
        for identifier in state.refill() { state.connected(identifier, now: start) }
        for _ in 0..<maximum { _ = state.next(oldest: start, now: start) }
        return state
    }

    @Test func `a connection that was given up keeps its place until the server has heard of it`() {
        var state = Self.full(2)
        #expect(state.lost(1, endingSince: Self.start) == nil)
        #expect(state.openCount == 1 && state.inUseCount == 1)
        #expect(state.refill() == [] && state.retry() == nil)
        #expect(state.next(oldest: 0, now: Self.start * 2) == .wait(until: nil))
        #expect(state.ended(1) == 3)
        #expect(state.ended(1) == nil)
        state.connected(3, now: Self.start)
        #expect(state.next(oldest: 0, now: Self.start) == .use(3))
    }

    @Test func `where all places are kept so, one more opens after a moment, and no other`() {
        var state = Self.full(2)
        let end = Self.start + PoolState.endingPause
        for identifier in 1...2 {
            #expect(state.lost(identifier, endingSince: Self.start) == nil)
        }
        #expect(state.next(oldest: 0, now: Self.start) == .wait(until: end))
        #expect(state.next(oldest: 0, now: end - 1) == .wait(until: end))
        #expect(state.next(oldest: 0, now: end) == .connect(3))
        state.connected(3, now: end)
        #expect(state.refill() == [])
        #expect(state.next(oldest: 0, now: end) == .use(3))
        #expect(state.next(oldest: 0, now: end * 2) == .wait(until: nil))
        #expect(state.ended(1) == nil)
        #expect(state.next(oldest: 0, now: end * 2) == .wait(until: nil))
        #expect(state.ended(2) == 4)
    }

    @Test func `the moment is that of the connection that was given up first`() {
        var state = Self.full(2)
        _ = state.lost(1, endingSince: Self.start)
        _ = state.lost(2, endingSince: Self.start + 300 * Self.millisecond)
        let end = Self.start + PoolState.endingPause
        #expect(state.next(oldest: 0, now: end - 1) == .wait(until: end))
        #expect(state.next(oldest: 0, now: end) == .connect(3))
    }

    @Test func `a connection that was given up does not stand for one of the minimum`() {
        var state = PoolState(limits: .init(minimum: 1, maximum: 2))
        for identifier in state.refill() { state.connected(identifier, now: Self.start) }
        #expect(state.next(oldest: 0, now: Self.start) == .use(1))
        #expect(state.lost(1, endingSince: Self.start) == 2)
        state.connected(2, now: Self.start)
        #expect(state.retireIdle(now: Self.start + state.limits.idleLimit) == [])
    }

    @Test func `a server that hears of one while the database is away ends no pause`() {
        var state = PoolState(limits: .init(minimum: 1, maximum: 2))
        for identifier in state.refill() { state.connected(identifier, now: Self.start) }
        #expect(state.next(oldest: 0, now: Self.start) == .use(1))
        #expect(state.lost(1, endingSince: Self.start) == 2)
        let retry = state.connectFailed(2, took: PoolState.quickAttempt + 1, now: Self.start, jitter: 1)
        #expect(state.availability == .down && retry != nil)
        #expect(state.ended(1) == nil)
        #expect(state.retry() == 3)
    }

    @Test func `an attempt that fails beside places that are kept says that the database is away`() {
        var state = Self.full(1)
        #expect(state.lost(1, endingSince: Self.start) == nil)
        let later = Self.start + PoolState.endingPause
        #expect(state.next(oldest: 0, now: later) == .connect(2))
        let retry = state.connectFailed(2, took: PoolState.quickAttempt + 1, now: later, jitter: 1)
        #expect(state.availability == .down && retry != nil)
        #expect(state.retry() == 3)
        state.connected(3, now: later)
        #expect(state.availability == .up && state.ended(1) == nil)
    }

    @Test func `of one more that is given up, too, none takes the place before another one is free`() {
        var state = Self.full(1)
        _ = state.lost(1, endingSince: Self.start)
        let later = Self.start * 2
        #expect(state.next(oldest: 0, now: later) == .connect(2))
        state.connected(2, now: later)
        #expect(state.next(oldest: 0, now: later) == .use(2))
        #expect(state.lost(2, endingSince: later) == nil)
        #expect(state.next(oldest: 0, now: later * 2) == .wait(until: nil))
        #expect(state.retry() == nil)
        #expect(state.ended(2) == nil)
        #expect(state.ended(1) == 3)
    }

    @Test func `a database that is away is asked again as soon as there is a place to ask from`() {
        var state = Self.full(1)
        _ = state.lost(1, endingSince: Self.start)
        let later = Self.start * 2
        #expect(state.next(oldest: 0, now: later) == .connect(2))
        state.connected(2, now: later)
        #expect(state.next(oldest: 0, now: later) == .use(2))
        _ = state.lost(2, endingSince: later)
        #expect(state.ended(1) == nil)
        #expect(state.next(oldest: 0, now: later * 2) == .connect(3))
        _ = state.connectFailed(3, took: PoolState.quickAttempt + 1, now: later, jitter: 0)
        #expect(state.availability == .down && state.retry() == 4)
        _ = state.connectFailed(4, now: later, jitter: 0)
        #expect(state.ended(2) == 5)
    }

    @Test func `without anybody who asks, the minimum is there again when the server has heard`() {
        var state = Self.full(1)
        #expect(state.lost(1, endingSince: Self.start) == nil)
        #expect(state.ended(1) == 2)
    }

    // Traps.

    @Test func `traps when an idle connection is finished`() async {
        await #expect(processExitsWith: .failure) {
            var state = PoolState(limits: .init(minimum: 1, maximum: 1))
            for identifier in state.refill() { state.connected(identifier, now: 0) }
            state.finished(1, now: 0)
        }
    }

    @Test func `traps when a connection is finished twice, or was never opened`() async {
        await #expect(processExitsWith: .failure) {
            var state = PoolState(limits: .init(minimum: 1, maximum: 1))
            for identifier in state.refill() { state.connected(identifier, now: 0) }
            _ = state.lease()
            state.finished(1, now: 0)
            state.finished(1, now: 0)
        }
        await #expect(processExitsWith: .failure) {
            var state = PoolState(limits: .init(minimum: 1, maximum: 1))
            _ = state.refill()
            state.finished(1, now: 0)
        }
    }

    @Test func `traps when a connection opens twice, or is lost while it opens`() async {
        await #expect(processExitsWith: .failure) {
            var state = PoolState(limits: .init(minimum: 1, maximum: 1))
            for identifier in state.refill() { state.connected(identifier, now: 0) }
            state.connected(1, now: 0)
        }
        await #expect(processExitsWith: .failure) {
            var state = PoolState(limits: .init(minimum: 1, maximum: 1))
            for identifier in state.refill() { _ = state.lost(identifier) }
        }
        await #expect(processExitsWith: .failure) {
            var state = PoolState(limits: .init(minimum: 1, maximum: 1))
            for identifier in state.refill() { state.connected(identifier, now: 0) }
            _ = state.connectFailed(1, now: 0, jitter: 0)
        }
    }

    @Test func `traps at bounds that cannot be`() async {
        await #expect(processExitsWith: .failure) { _ = PoolState(limits: .init(minimum: 3, maximum: 2)) }
        await #expect(processExitsWith: .failure) { _ = PoolState(limits: .init(minimum: 0, maximum: 0)) }
        await #expect(processExitsWith: .failure) { _ = PoolState(limits: .init(minimum: -1, maximum: 2)) }
    }

    // Everything at once.

    @Test(arguments: 1...20)
    func `keeps its promises over thousands of random events`(seed: UInt64) throws {
        var generator = SeededGenerator(state: seed)
        let maximum = Int.random(in: 1...8, using: &generator)
        let minimum = Int.random(in: 0...maximum, using: &generator)
        var state = Self.state(minimum, maximum)
        var now = Self.start
        var connecting: Set<Int> = []
        var inUse: Set<Int> = []
        var idle: Set<Int> = []
        var ending: Set<Int> = []
        var known: Set<Int> = []
        func begin(_ identifier: Int) throws {
            try #require(known.insert(identifier).inserted, "a number was given twice")
            connecting.insert(identifier)
        }
        for step in 0..<5000 {
            now += UInt64.random(in: 0...20_000_000, using: &generator)
            switch Int.random(in: 0..<13, using: &generator) {
            case 0...2:
                let oldest = now - UInt64.random(in: 0...10_000_000, using: &generator)
                let hadIdle = !idle.isEmpty
                switch state.next(oldest: oldest, now: now) {
                case .use(let identifier):
                    try #require(idle.remove(identifier) != nil, "step \(step)")
                    inUse.insert(identifier)
                case .connect(let identifier):
                    try #require(!hadIdle && connecting.isEmpty && state.availability != .down, "step \(step)")
                    try #require(inUse.isEmpty || now >= oldest + state.limits.growAfter, "step \(step)")
                    try begin(identifier)
                case .wait(let moment):
                    try #require(!hadIdle && moment ?? .max > now, "step \(step)")
                }
            case 3:
                if let identifier = state.lease() {
                    try #require(idle.remove(identifier) != nil)
                    inUse.insert(identifier)
                } else {
                    try #require(idle.isEmpty)
                }
            case 4, 5:
                guard let identifier = connecting.sorted().randomElement(using: &generator) else { continue }
                connecting.remove(identifier)
                if Bool.random(using: &generator) {
                    state.connected(identifier, now: now)
                    idle.insert(identifier)
                    try #require(state.availability == .up)
                    for missing in state.refill() { try begin(missing) }
                } else {
                    let jitter = Double.random(in: 0...1, using: &generator)
                    let moment = state.connectFailed(identifier, now: now, jitter: jitter)
                    let retry = try #require(moment)
                    try #require(retry > now && retry <= now + PoolState.idlePauseLimit)
                    if !idle.isEmpty || !inUse.isEmpty { try #require(state.availability != .down) }
                    if state.failures > 1 && idle.isEmpty && inUse.isEmpty { try #require(state.availability == .down) }
                }
            case 6, 7, 8:
                guard let identifier = inUse.sorted().randomElement(using: &generator) else { continue }
                inUse.remove(identifier)
                state.finished(identifier, now: now)
                idle.insert(identifier)
            case 9 where Bool.random(using: &generator):
                guard let identifier = inUse.sorted().randomElement(using: &generator) else { continue }
                inUse.remove(identifier)
                ending.insert(identifier)
                if let replacement = state.lost(identifier, endingSince: now) { try begin(replacement) }
            case 12 where !ending.isEmpty:
                guard let identifier = ending.sorted().randomElement(using: &generator) else { continue }
                ending.remove(identifier)
                if let replacement = state.ended(identifier) { try begin(replacement) }
            case 9:
                guard let identifier = inUse.union(idle).sorted().randomElement(using: &generator) else { continue }
                inUse.remove(identifier)
                idle.remove(identifier)
                if let replacement = state.lost(identifier) { try begin(replacement) }
            case 10, 11:
                if let identifier = step.isMultiple(of: 2) ? state.retry() : state.expectReturn() {
                    try #require(connecting.isEmpty)
                    try begin(identifier)
                }
            default:
                now += Bool.random(using: &generator) ? state.limits.idleLimit : 0
                for identifier in state.retireIdle(now: now) { try #require(idle.remove(identifier) != nil) }
                let refusal = state.refusal(waiting: 0)
                try #require(refusal == (state.availability == .down ? .unavailable : nil))
            }
            // One beside those that the server may still work on, and no other.
            let live = connecting.union(inUse).union(idle)
            try #require(state.slots.count <= maximum + (live.count < 2 && !ending.isEmpty ? 1 : 0), "step \(step)")
            try #require(live.count <= maximum, "step \(step)")
            try #require(Set(state.slots.keys) == connecting.union(inUse).union(idle).union(ending), "step \(step)")
            try #require(state.idleCount == idle.count && state.inUseCount == inUse.count, "step \(step)")
            try #require(state.openCount == idle.count + inUse.count, "step \(step)")
            for (identifier, slot) in state.slots {
                switch slot {
                case .connecting: try #require(connecting.contains(identifier))
                case .idle: try #require(idle.contains(identifier))
                case .busy, .leased: try #require(inUse.contains(identifier))
                case .ending: try #require(ending.contains(identifier))
                }
            }
            if state.availability == .down { try #require(state.openCount == 0, "step \(step)") }
        }
    }
}
