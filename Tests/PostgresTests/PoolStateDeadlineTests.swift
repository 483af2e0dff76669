import Platform
import Testing

@testable import Postgres

/// Overdue statements and their cancel requests.
struct PoolStateDeadlineTests {
    @Test func `a late statement fails at once and is cancelled, and its neighbours run again`() {
        var model = PoolModel.open(1, maximum: 1)
        model.submit(.insert)
        model.submit(.insert, within: .milliseconds(5))
        let sent = model.endIteration()
        guard case .send(let batch, on: 1)? = sent.first else { return #expect(Bool(false)) }
        #expect(batch.deadline == model.now + .milliseconds(5))
        model.pass(.milliseconds(5))
        let late = model.tell(.timer(.connection(1)))
        #expect(late.failures == [2: .deadlineExceeded] && late.cancelled == [1])
        #expect(late.moment(of: .connection(1)) == model.now + Cancellation.grace)
        model.tell(.cancelEnded(1, isOverdue: false))
        let heard = model.confirm(1, 2, after: [.failed([2], .cancelled, isPrepared: true)])
        #expect(heard.undone == [1] && heard.failures == [:])
        let again = model.endIteration().batches
        #expect(again == [[1]])
    }

    @Test func `statements stopped by a time limit run again in batches of their own`() {
        var model = PoolModel.open(2, maximum: 2)
        model.send(.insert, .insert, .insert)
        model.pass(.seconds(5))
        model.confirm(2, 3, after: [.failed([1, 2, 3], .cancelled, isPrepared: true)])
        let again = model.endIteration().batches
        #expect(again == [[1], [2]])
        let second = model.state.uses.keys.first { model.state.inFlight(on: $0).map(\.id) == [2] }
        let answered = model.confirm(second ?? 0)
        #expect(answered.answered == [2])
        let last = model.endIteration().batches
        #expect(last == [[3]])
    }

    @Test func `only the statement that reached a time limit runs again apart from its neighbours`() {
        var model = PoolModel.open(1, maximum: 1)
        model.send(.insert, .insert, .insert)
        model.pass(.seconds(5))
        model.confirm(1, 3, after: [.failed([2], .cancelled, isPrepared: true)])
        let first = model.endIteration().batches
        #expect(first == [[1]])
        model.confirm(1)
        let second = model.endIteration().batches
        #expect(second == [[2]])
    }

    @Test func `a deadline that was moved or has no statement left does nothing`() {
        var model = PoolModel.open()
        model.send(.read)
        let early = model.tell(.timer(.connection(1)))
        model.confirm(1)
        model.pass(.seconds(60))
        let late = model.tell(.timer(.connection(1)))
        #expect(early == [] && late == [])
    }

    @Test func `a connection that owes only the end of a transaction is given up too`() {
        var model = PoolModel.open(1, maximum: 1)
        model.submit(within: .seconds(1))
        model.endIteration()
        model.hear(1, [.unheld([1])])
        model.pass(.seconds(1))
        let asked = model.tell(.timer(.connection(1)))
        #expect(asked.cancelled == [1])
        #expect(asked.moment(of: .connection(1)) == model.now + Cancellation.grace)
        model.pass(Cancellation.grace)
        let closed = model.tell(.timer(.connection(1))).closed
        #expect(closed == [1])
    }

    @Test func `a connection that owes nothing but the end of a transaction has until the last deadline`() {
        var model = PoolModel.open(1, maximum: 1)
        model.submit(within: .seconds(1))
        model.submit(within: .seconds(2))
        model.endIteration()
        let end = model.now + .seconds(2)
        model.hear(1, [.unheld([1, 2])])
        model.pass(.seconds(1))
        let early = model.tell(.timer(.connection(1)))
        #expect(early.cancelled == [] && early.moment(of: .connection(1)) == end)
    }

    @Test func `nothing new is sent on a connection while its cancel request is in progress`() {
        var model = PoolModel.open(1, maximum: 1)
        model.send(.read, within: .milliseconds(5))
        model.pass(.milliseconds(5))
        model.tell(.timer(.connection(1)))
        model.confirm(1)
        #expect(model.state.idleCount == 0)
        let before = model.send(.read).used
        model.tell(.cancelEnded(1, isOverdue: false))
        let after = model.endIteration().used
        #expect(before == [] && after == [1])
    }

    @Test func `a cancel request that does not arrive loses only its own connection`() {
        var model = PoolModel.open(2, maximum: 2)
        model.send(.read, within: .milliseconds(5))
        model.pass(.milliseconds(5))
        let used = model.tell(.timer(.connection(2))).cancelled
        model.confirm(2)
        model.pass(Cancellation.patience)
        let closed = model.tell(.timer(.connection(2))).closed
        #expect(used == [2] && closed == [2])
        #expect(model.state.idleCount == 1)
    }

    @Test func `a server that does not react in time loses the connection, and reads with time left run again`() {
        var model = PoolModel.open(1, maximum: 1)
        model.submit(within: .milliseconds(5))
        model.submit()
        model.endIteration()
        model.pass(.milliseconds(5))
        model.tell(.timer(.connection(1)))
        model.pass(Cancellation.grace)
        let actions = model.tell(.timer(.connection(1)))
        #expect(actions.closed == [1] && actions.undone == [2])
        #expect(actions.reports.contains(.lost(.deadlineExceeded)))
        // The request is still in progress, so the server counts the connection.
        #expect(model.state.uses == [1: .ending(since: model.now)])
    }

    @Test func `a cancel request that may still arrive loses the connection too`() {
        var model = PoolModel.open(2)
        model.send(.read, within: .milliseconds(5))
        model.pass(.milliseconds(5))
        model.tell(.timer(.connection(2)))
        model.confirm(2)
        let actions = model.tell(.cancelEnded(2, isOverdue: true))
        #expect(actions.closed == [2] && actions.reports.contains(.lost(.connectionLost)))
    }

    @Test func `a statement stopped by a request for another runs again, even a write, unless it reached its limit`() {
        var model = PoolModel.open(1, maximum: 1)
        model.send(.update, within: .milliseconds(5))
        model.pass(.milliseconds(5))
        model.tell(.timer(.connection(1)))
        model.tell(.cancelEnded(1, isOverdue: false))
        model.confirm(1, after: [.failed([1], .cancelled, isPrepared: true)])
        model.send(.update)
        let struck = model.confirm(1, after: [.failed([2], .cancelled, isPrepared: true)])
        #expect(struck.undone == [2] && struck.failures == [:])
        model.endIteration()
        model.pass(Cancellation.lateLimit)
        let own = model.confirm(1, after: [.failed([2], .cancelled, isPrepared: true)])
        #expect(own.failures == [2: .cancelled])
    }

    @Test func `a commit that a cancel request may have hit is unconfirmed`() {
        var model = PoolModel.open(1, maximum: 1)
        model.send(.update, .update, within: .milliseconds(5))
        model.pass(.milliseconds(5))
        model.tell(.timer(.connection(1)))
        model.send(.insert)
        let actions = model.confirm(1, isBusy: true)
        // Its caller was failed before.
        #expect(actions.failures == [:] && actions.answered == [])
    }

    @Test func `a caller with time left learns that its commit may have met a cancel request`() {
        var model = PoolModel.open(1, maximum: 1)
        model.submit(.update, within: .milliseconds(5))
        model.submit(.update)
        model.endIteration()
        model.pass(.milliseconds(5))
        model.tell(.timer(.connection(1)))
        let actions = model.confirm(1, 2)
        #expect(actions.failures == [2: .unconfirmed] && actions.answered == [])
    }

    @Test func `a cancel request refused because of too many others is repeated while something may run`() {
        var model = PoolModel.open(1, maximum: 1)
        #expect(!model.state.mayCancelAgain(1, at: model.now))
        model.send(.update, within: .milliseconds(5))
        model.pass(.milliseconds(5))
        model.tell(.timer(.connection(1)))
        #expect(model.state.mayCancelAgain(1, at: model.now))
        model.broke(1)
        #expect(model.state.mayCancelAgain(1, at: model.now))
        #expect(!model.state.mayCancelAgain(1, at: model.now + Cancellation.patience))
        model.tell(.cancelEnded(1, isOverdue: false))
        #expect(!model.state.mayCancelAgain(1, at: model.now))
    }
}
