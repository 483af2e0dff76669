import Platform
import Testing

@testable import Postgres

/// Closing connections, and what keeps their places.
struct PoolStateLossTests {
    @Test func `a lost connection is replaced if fewer than the minimum remain`() {
        var model = PoolModel.open(2)
        let first = model.broke(1)
        #expect(first.opening == [3] && first.closed == [1] && first.checked == [2])
        #expect(first.reports == [.lost(.connectionLost)])
        // One attempt at a time; the others follow when it succeeds.
        let second = model.broke(2).opening
        #expect(second == [])
        #expect(model.state.availability == .up && model.refusal == nil)
        let third = model.connected(3)
        #expect(third.opening == [4] && third.reports.contains(.reconnected))
    }

    @Test func `the last connection is replaced even without a minimum, one above the minimum is not`() {
        var model = PoolModel(0)
        model.send(.read)
        model.connected(1)
        let first = model.broke(1).opening
        #expect(first == [2])
        model.connected(2)
        let used = model.endIteration().used
        #expect(used == [2])
        model.submit()
        model.pass(model.state.limits.growAfter)
        let second = model.endIteration().opening
        #expect(second == [3])
        model.connected(3)
        let third = model.broke(2).opening
        #expect(third == [])
        #expect(model.state.idleCount == 1)
    }

    @Test func `a lost idle connection is never handed out`() {
        var model = PoolModel.open(2)
        let opening = model.broke(2).opening
        #expect(opening == [3])
        let used = model.send(.read).used
        #expect(used == [1])
        let other = model.send(.read).used
        #expect(other == [])
    }

    @Test func `a connection that is found broken twice is lost once`() {
        var model = PoolModel.open(1)
        let first = model.broke(1)
        let second = model.broke(1)
        #expect(first.closed == [1] && second == [])
    }

    @Test func `down after two attempts to replace the last connection failed, not before`() {
        var model = PoolModel.open()
        model.broke(1)
        #expect(model.state.availability == .up)
        let retry = model.failed(2, jitter: 0.5).moment(of: .retry)
        #expect(retry == model.now + PoolState.firstPause / 2)
        #expect(model.state.availability == .up)
        let opening = model.tell(.timer(.retry)).opening
        #expect(opening == [3])
        let reports = model.failed(3).reports
        #expect(model.state.availability == .down(.unavailable))
        #expect(reports.contains(.down(.connectFailed("no"))))
    }

    @Test func `one failed attempt that was not quick is enough to be down`() {
        var model = PoolModel.open()
        model.broke(1)
        model.failed(2, took: PoolState.quickAttempt + .nanoseconds(1))
        #expect(model.state.availability == .down(.unavailable))
    }

    @Test func `when one connection falls silent, the idle ones are closed with it`() {
        var model = PoolModel.open(3)
        model.send(.read)
        model.now = model.state.slots.all[2].deadline
        model.tell(.timer(.connection(3)))
        model.tell(.cancelEnded(3, isOverdue: false))
        model.pass(Cancellation.grace)
        let actions = model.tell(.timer(.connection(3)))
        #expect(actions.closed.sorted() == [1, 2, 3] && actions.checked == [])
    }

    // Shrinking and closing.

    @Test func `closes long idle connections down to the minimum, the longest idle first`() {
        var model = PoolModel(1, 4)
        model.tell(.started)
        model.connected(1)
        for id in 2...4 {
            model.send(.read)
            model.submit()
            model.pass(model.state.limits.growAfter)
            model.endIteration()
            model.connected(id)
            model.endIteration()
        }
        #expect(model.state.openCount == 4)
        for id in model.state.uses.keys.sorted() where model.state.inFlight(on: id).count > 0 {
            model.confirm(id, model.state.inFlight(on: id).count)
        }
        #expect(model.state.idleCount == 4)
        let order = model.state.slots.idle
        let limit = model.state.limits.idleLimit
        let last = model.now
        model.now = Instant(nanoseconds: (last + limit).nanoseconds - 1)
        let early = model.tell(.timer(.idle)).closed
        model.now = last + limit
        let late = model.tell(.timer(.idle))
        #expect(early == [] && late.closed == Array(order.prefix(3)))
        #expect(late.moment(of: .idle) == model.now + limit / 4)
        #expect(model.state.openCount == 1 && model.state.idleCount == 1)
    }

    @Test func `a busy or leased connection is never closed as idle`() {
        var model = PoolModel(0)
        _ = model.lease()
        model.endIteration()
        model.connected(1)
        let lent = model.endIteration().lent
        #expect(lent == [1])
        model.pass(.seconds(1000))
        let busy = model.tell(.timer(.idle)).closed
        model.tell(.leaseReturned(1, isInTransaction: false))
        let fresh = model.tell(.timer(.idle)).closed
        #expect(busy == [] && fresh == [])
        model.pass(model.state.limits.idleLimit)
        let idle = model.tell(.timer(.idle)).closed
        #expect(idle == [1] && model.state.uses.isEmpty)
    }

    @Test func `idle connections with large buffers are closed, and replaced up to the minimum`() {
        var model = PoolModel.open(2)
        model.send(.read)
        let heard = model.hear(
            2, [.synced(count: 1, isComplete: true, wasWarned: false)], isBusy: false, hasGrown: true)
        #expect(heard.moment(of: .shrink) == model.now + PoolState.shrinkPause)
        model.pass(PoolState.shrinkPause)
        let actions = model.tell(.timer(.shrink))
        #expect(actions == [.close(2), .open(3)])
    }

    @Test func `closing refuses new statements and opens nothing, but open connections finish`() {
        var model = PoolModel.open(2)
        model.send(.read)
        model.submit()
        model.tell(.closing)
        #expect(model.refusal == .closing)
        let refused = model.lease().refused
        #expect(refused == [.closing])
        let used = model.endIteration().used
        #expect(used == [1])
        model.confirm(2)
        #expect(model.state.inUseCount == 1)
        let opening = model.broke(2).opening + model.tell(.timer(.retry)).opening
        #expect(opening == [])
    }

    @Test func `the end fails statements in flight and waiting ones`() {
        var model = PoolModel.open(1, maximum: 1)
        model.send(.insert)
        model.submit(.read)
        _ = model.lease()
        model.tell(.closing)
        let actions = model.tell(.closed)
        #expect(actions.closed == [1])
        #expect(actions.failures == [1: .connectionLost, 2: .closing])
        #expect(actions.refused == [.closing])
        #expect(model.state.uses.isEmpty && model.state.waiting.isEmpty)
        #expect(model.state.moment(of: .idle) == nil)
    }

    @Test func `an attempt that ends after closing changes nothing`() {
        var model = PoolModel(2)
        model.tell(.started)
        model.tell(.closing)
        let failed = model.failed(1)
        let opened = model.connected(2)
        #expect(failed == [.report(.openFailed(.connectFailed("no")))])
        #expect(opened == [.close(2)])
        #expect(model.state.availability == .closing && model.refusal == .closing)
    }

    // Given-up connections for which the server may still work.

    /// A pool at its maximum, each connection with a late statement and a cancel request in progress.
    private static func cancelling(_ maximum: Int) -> PoolModel {
        var model = PoolModel.open(maximum, maximum: maximum)
        for _ in 0..<maximum { model.send(.update, within: .milliseconds(1)) }
        model.pass(.milliseconds(1))
        for id in 1...maximum { model.tell(.timer(.connection(id))) }
        return model
    }

    @Test func `a given-up connection keeps its place until the server received the cancel request`() {
        var model = Self.cancelling(2)
        let opening = model.broke(1).opening
        #expect(opening == [] && model.state.openCount == 1 && model.state.inUseCount == 1)
        model.submit()
        model.pass(.milliseconds(100))
        let waiting = model.endIteration()
        #expect(waiting.opening == [] && model.tell(.timer(.retry)).opening == [])
        let heard = model.tell(.cancelEnded(1, isOverdue: false)).opening
        let again = model.tell(.cancelEnded(1, isOverdue: false))
        #expect(heard == [3] && again == [])
        model.connected(3)
        let used = model.endIteration().used
        #expect(used == [3])
    }

    @Test func `if all places are kept, exactly one more connection opens after a pause`() {
        var model = Self.cancelling(2)
        model.broke(1)
        model.broke(2)
        let end = model.now + PoolState.endingPause
        model.submit()
        let first = model.endIteration()
        #expect(first.opening == [] && first.moment(of: .grow) == end)
        model.now = end
        let second = model.endIteration().opening
        #expect(second == [3])
        let third = model.connected(3).opening
        #expect(third == [])
        let used = model.endIteration().used
        #expect(used == [3])
        model.submit()
        model.pass(.seconds(1))
        let more = model.endIteration()
        #expect(more.opening == [] && more.moment(of: .grow) == nil)
        let fourth = model.tell(.cancelEnded(1, isOverdue: false)).opening
        #expect(fourth == [])
        let fifth = model.tell(.cancelEnded(2, isOverdue: false)).opening
        #expect(fifth == [4])
    }

    @Test func `the pause starts with the first connection given up`() {
        var model = Self.cancelling(2)
        model.broke(1)
        let end = model.now + PoolState.endingPause
        model.pass(.milliseconds(300))
        model.broke(2)
        model.submit()
        let moment = model.endIteration().moment(of: .grow)
        #expect(moment == end)
    }

    @Test func `a delivered cancel request while the database is away does not end the pause`() {
        var model = PoolModel.open(1, maximum: 2)
        model.send(.update, within: .milliseconds(1))
        model.pass(.milliseconds(1))
        model.tell(.timer(.connection(1)))
        let opening = model.broke(1).opening
        #expect(opening == [2])
        model.failed(2, took: PoolState.quickAttempt + .nanoseconds(1))
        #expect(model.state.availability == .down(.unavailable))
        let heard = model.tell(.cancelEnded(1, isOverdue: false)).opening
        let retried = model.tell(.timer(.retry)).opening
        #expect(heard == [] && retried == [3])
    }

    @Test func `an unavailable database is tried again as soon as a place is free`() {
        var model = Self.cancelling(1)
        model.broke(1)
        model.submit(.update, within: .seconds(2))
        model.pass(PoolState.endingPause)
        let second = model.endIteration().opening
        #expect(second == [2])
        model.connected(2)
        model.endIteration()
        model.pass(.seconds(2))
        model.tell(.timer(.connection(2)))
        model.broke(2)
        let none = model.tell(.cancelEnded(1, isOverdue: false)).opening
        #expect(none == [])
        model.submit()
        model.pass(PoolState.endingPause)
        let third = model.endIteration().opening
        #expect(third == [3])
        model.failed(3, took: PoolState.quickAttempt + .nanoseconds(1), jitter: 0)
        #expect(model.state.availability == .down(.unavailable))
        let fourth = model.tell(.timer(.retry)).opening
        #expect(fourth == [4])
        model.failed(4, jitter: 0)
        let fifth = model.tell(.cancelEnded(2, isOverdue: false)).opening
        #expect(fifth == [5])
    }

    @Test func `without callers, the minimum is restored when the server received the cancel requests`() {
        var model = Self.cancelling(1)
        let lost = model.broke(1).opening
        let heard = model.tell(.cancelEnded(1, isOverdue: false)).opening
        #expect(lost == [] && heard == [2])
    }
}
