import Platform
import Testing

@testable import Postgres

/// Opening connections, and assigning them to waiting callers.
struct PoolStateTests {
    // Starting.

    @Test func `opens the minimum at once, or nothing if it is 0`() {
        var model = PoolModel(3)
        let opening = model.tell(.started).opening
        #expect(opening == [1, 2, 3])
        #expect(model.state.openCount == 0 && model.state.uses.count == 3)
        var lazy = PoolModel(0)
        let none = lazy.tell(.started).opening
        #expect(none == [])
    }

    @Test func `statements wait until the first attempt ends`() {
        var model = PoolModel(1)
        #expect(model.state.availability == .unknown && model.refusal == nil)
        model.tell(.started)
        let before = model.send(.read)
        #expect(before.used == [] && before.opening == [])
        let reports = model.connected(1).reports
        #expect(reports == [.opened(took: .zero), .up])
        #expect(model.state.availability == .up)
        let after = model.endIteration()
        #expect(after.used == [1] && after.batches == [[1]])
    }

    @Test func `without a minimum the first statement opens a connection at once`() {
        var model = PoolModel()
        let first = model.send(.read)
        #expect(first.opening == [1])
        let second = model.send(.read)
        #expect(second.opening == [])
    }

    @Test func `only the first opened connection notifies the other pools`() {
        var model = PoolModel(2)
        model.tell(.started)
        let first = model.connected(1).news
        let second = model.connected(2).news
        #expect(first == [.opened] && second == [])
    }

    // Assigning connections.

    @Test func `uses the most recently used connection, so that the others can time out`() {
        var model = PoolModel.open(3)
        let first = model.send(.read).used
        let second = model.send(.read).used
        #expect(first == [3] && second == [2])
        model.confirm(3)
        let third = model.send(.read).used
        #expect(third == [3])
        _ = model.lease()
        let lent = model.endIteration().lent
        #expect(lent == [1])
        _ = model.lease()
        let none = model.endIteration().lent
        #expect(none == [])
        #expect(model.state.uses == [1: .leased, 2: .batch, 3: .batch])
        #expect(model.state.idleCount == 0 && model.state.inUseCount == 3 && model.state.openCount == 3)
    }

    @Test func `grows one at a time when a statement has waited, up to the maximum`() {
        var model = PoolModel.open(1, maximum: 3)
        let first = model.send(.read).used
        #expect(first == [1])
        let enough = model.now + model.state.limits.growAfter
        let second = model.send(.read)
        #expect(second.opening == [] && second.moment(of: .grow) == enough)
        model.now = Instant(nanoseconds: enough.nanoseconds - 1)
        let early = model.endIteration()
        #expect(early.opening == [] && early.moment(of: .grow) == enough)
        model.now = enough
        let third = model.endIteration().opening
        #expect(third == [2])
        model.pass(.nanoseconds(1))
        let one = model.endIteration()
        #expect(one.opening == [] && one.moment(of: .grow) == nil)
        model.connected(2)
        let used = model.endIteration().used
        #expect(used == [2])
        model.submit()
        model.pass(model.state.limits.growAfter)
        let fourth = model.endIteration().opening
        #expect(fourth == [3])
        model.connected(3)
        model.endIteration()
        model.submit()
        model.pass(.seconds(1))
        let most = model.endIteration()
        #expect(most.opening == [] && most.moment(of: .grow) == nil)
        #expect(model.state.uses.count == 3)
    }

    @Test func `the queue limit includes transactions`() {
        var model = PoolModel.open()
        for _ in 1..<model.state.limits.queueLimit { model.submit() }
        _ = model.lease()
        #expect(model.refusal == .queueFull)
        let refused = model.lease().refused
        #expect(refused == [.queueFull])
    }

    @Test func `a transaction goes before statements, and opens a connection where none is idle`() {
        var model = PoolModel.open()
        model.submit()
        _ = model.lease()
        let actions = model.endIteration()
        #expect(actions.lent == [1] && actions.used == [])
        model.pass(model.state.limits.growAfter)
        let later = model.endIteration()
        #expect(later.opening == [2])
    }

    // Failures.

    @Test func `after its only attempt failed it is down and refuses at once`() {
        var model = PoolModel(1)
        model.tell(.started)
        model.submit()
        _ = model.lease()
        let actions = model.failed(1)
        #expect(model.state.availability == .down(.unavailable))
        #expect(actions.moment(of: .retry) == model.now + PoolState.firstPause)
        #expect(actions.failures == [1: .unavailable] && actions.refused == [.unavailable])
        #expect(actions.reports.contains(.down(.connectFailed("no"))))
        #expect(model.refusal == .unavailable)
        let opening = model.endIteration().opening
        #expect(opening == [])
        let second = model.tell(.timer(.retry)).opening
        #expect(second == [2])
        let none = model.tell(.timer(.retry)).opening
        #expect(none == [])
        model.connected(2)
        #expect(model.state.availability == .up && model.refusal == nil)
    }

    @Test func `callers get the database's error about this build's statements`() {
        var model = PoolModel(1)
        model.tell(.started)
        model.failed(1, .missingTable)
        #expect(model.refusal == .missingTable)
        let opening = model.tell(.timer(.retry)).opening
        model.failed(opening[0])
        #expect(model.refusal == .unavailable)
    }

    @Test func `retries even without a minimum, else it would stay down for ever`() {
        var model = PoolModel(0)
        model.send(.read)
        let retry = model.failed(1).moment(of: .retry)
        #expect(retry != nil)
        let opening = model.tell(.timer(.retry)).opening
        #expect(opening == [2])
    }

    @Test(arguments: [true, false])
    func `the pause doubles up to its limit, which is shorter with callers`(isWanted: Bool) {
        var model = PoolModel(1)
        var opening = model.tell(.started).opening
        var pause = PoolState.firstPause
        let limit = isWanted ? PoolState.busyPauseLimit : PoolState.idlePauseLimit
        #expect(limit == .milliseconds(isWanted ? 500 : 5000))
        for attempt in 1...40 {
            if isWanted && attempt > 1 {
                let refused = model.submit().failures.values.first
                #expect(refused == .unavailable)
            }
            let retry = model.failed(opening[0]).moment(of: .retry)
            #expect(retry == model.now + min(pause, limit), "attempt \(attempt)")
            #expect(model.state.failures == attempt)
            pause = min(pause * 2, .seconds(1000))
            opening = model.tell(.timer(.retry)).opening
        }
        model.connected(opening[0])
        #expect(model.state.failures == 0)
    }

    @Test func `the pause is longer for a server without free connections`() {
        var model = PoolModel(1)
        model.tell(.started)
        let retry = model.failed(1, .server("53300")).moment(of: .retry)
        #expect(retry == model.now + PoolState.crowdedPause)
    }

    @Test(arguments: [0, 0.001, 0.25, 0.5, 0.999, 1])
    func `jitter spreads the pause, which is never shorter than half the first`(jitter: Double) throws {
        var model = PoolModel(1)
        var opening = model.tell(.started).opening
        var pause = PoolState.firstPause
        for _ in 0..<20 {
            let moment = model.failed(opening[0], jitter: jitter).moment(of: .retry)
            let retry = try #require(moment)
            #expect(retry >= model.now + PoolState.firstPause / 2)
            let most = model.now.advanced(byNanoseconds: UInt64(Double(pause.nanoseconds) * jitter) + 1)
            #expect(retry <= max(model.now + PoolState.firstPause / 2, most))
            pause = min(pause * 2, PoolState.idlePauseLimit)
            opening = model.tell(.timer(.retry)).opening
        }
    }

    @Test func `a failed attempt to grow leaves it up, and the next one waits for its pause`() {
        var model = PoolModel.open(1, maximum: 3)
        model.send(.read)
        model.submit()
        model.pass(model.state.limits.growAfter)
        model.endIteration()
        let retry = model.failed(2).moment(of: .retry)
        #expect(retry == model.now + PoolState.firstPause)
        #expect(model.state.availability == .up)
        model.pass(.nanoseconds(1))
        let early = model.endIteration()
        #expect(early.opening == [] && early.moment(of: .grow) == retry)
        // The minimum is reached, so only a waiting statement opens another one.
        let retried = model.tell(.timer(.retry)).opening
        #expect(retried == [])
        model.pass(PoolState.firstPause)
        let opening = model.endIteration().opening
        #expect(opening == [3])
    }

    @Test func `when another pool reaches the database, statements wait for one more attempt`() {
        var model = PoolModel(1)
        model.tell(.started)
        model.failed(1)
        #expect(model.refusal == .unavailable)
        let actions = model.tell(.siblingOpened)
        #expect(actions == [.open(2), .disarm(.retry)])
        #expect(model.refusal == nil)
        let moment = model.failed(2).moment(of: .retry)
        #expect(moment == model.now + PoolState.firstPause)
        #expect(model.refusal == nil)
        let third = model.tell(.timer(.retry)).opening
        #expect(third == [3])
        model.failed(3)
        #expect(model.refusal == .unavailable)
    }

    @Test func `a success ends the pause for all attempts`() {
        var model = PoolModel(0, 2)
        model.send(.read)
        model.failed(1)
        for _ in 0..<8 { model.failed(model.tell(.timer(.retry)).opening[0]) }
        let opening = model.tell(.siblingOpened).opening
        model.connected(opening[0])
        model.send(.read)
        model.submit()
        model.pass(model.state.limits.growAfter)
        let more = model.endIteration().opening
        #expect(more.count == 1)
    }

    @Test func `statements wait for an attempt that is already in progress`() {
        var model = PoolModel(1)
        model.tell(.started)
        model.failed(1)
        let second = model.tell(.timer(.retry)).opening
        #expect(second == [2])
        let actions = model.tell(.siblingOpened)
        #expect(actions == [])
        #expect(model.refusal == nil)
        let opening = model.send(.read).opening
        #expect(opening == [])
    }

    @Test func `a pool that is up or closing ignores another pool's success`() {
        var model = PoolModel.open()
        let first = model.tell(.siblingOpened)
        model.tell(.closing)
        let second = model.tell(.siblingOpened)
        #expect(first == [] && second == [])
        #expect(model.state.availability == .closing)
    }

    // Traps.

    @Test func `traps when a connection opens twice, or fails when it is open, or was never begun`() async {
        await #expect(processExitsWith: .failure) {
            var model = PoolModel.open()
            model.connected(1)
        }
        await #expect(processExitsWith: .failure) {
            var model = PoolModel.open()
            model.failed(1)
        }
        await #expect(processExitsWith: .failure) {
            var model = PoolModel()
            model.connected(1)
        }
    }

    @Test func `traps when an unknown or closed connection reports answers`() async {
        await #expect(processExitsWith: .failure) {
            var model = PoolModel.open()
            model.hear(2, [])
        }
        await #expect(processExitsWith: .failure) {
            var model = PoolModel(1)
            model.tell(.started)
            model.hear(1, [])
        }
    }

    @Test func `traps when more statements end than are in flight`() async {
        await #expect(processExitsWith: .failure) {
            var model = PoolModel.open()
            model.send(.read)
            model.confirm(1, 2)
        }
    }

    @Test func `traps at impossible bounds`() async {
        await #expect(processExitsWith: .failure) { _ = PoolState(limits: .init(minimum: 3, maximum: 2)) }
        await #expect(processExitsWith: .failure) { _ = PoolState(limits: .init(minimum: 0, maximum: 0)) }
        await #expect(processExitsWith: .failure) { _ = PoolState(limits: .init(minimum: -1, maximum: 2)) }
    }

    @Test func `a caller shortens the pause that was drawn while there was none`() throws {
        var model = PoolModel(1, 1)
        model.tell(.started)
        var id = 1
        for _ in 0..<9 {
            model.failed(id, jitter: 0.5)
            model.now = try #require(model.state.moment(of: .retry))
            id = try #require(model.tell(.timer(.retry)).opening.first)
        }
        model.failed(id, jitter: 0.5)
        let idle = try #require(model.state.moment(of: .retry))
        #expect(idle == model.now + PoolState.idlePauseLimit / 2)
        model.submit()
        let busy = try #require(model.state.moment(of: .retry))
        #expect(busy == model.now + PoolState.busyPauseLimit / 2)
        model.pass(.milliseconds(10))
        model.submit()
        let later = try #require(model.state.moment(of: .retry))
        #expect(later == busy)
    }

    @Test func `a caller shortens no pause below the shortest one`() {
        var model = PoolModel(1, 1)
        model.tell(.started)
        model.failed(1, jitter: 0)
        let drawn = model.state.moment(of: .retry)
        model.submit()
        #expect(drawn == model.now + PoolState.firstPause / 2 && model.state.moment(of: .retry) == drawn)
    }
}
