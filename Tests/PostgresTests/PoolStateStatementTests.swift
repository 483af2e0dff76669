import Platform
import Testing

@testable import Postgres

/// Statements on their way: batches, failed transactions, waiting, leases.
struct PoolStateStatementTests {
    // Batches.

    @Test func `statements of one iteration are sent together, reads first`() {
        var model = PoolModel.open()
        let actions = model.send(.insert, .read, .insert, .read)
        #expect(actions.batches == [[2, 4, 1, 3]])
        let answered = model.confirm(1, 2, isBusy: true).answered + model.confirm(1, 2).answered
        #expect(answered == [2, 4, 1, 3])
        #expect(model.state.uses[1] == .idle(since: model.now))
    }

    @Test func `a batch is bounded in statements, rows and bytes of parameters`() {
        var model = PoolModel.open(3)
        for _ in 0...model.state.limits.batchLimit { model.submit() }
        let count = model.endIteration().batches.map(\.count)
        #expect(count == [model.state.limits.batchLimit, 1])
        model = PoolModel.open(3)
        for rows in [400, 600, 1, 2000] { model.submit(rows: rows) }
        let rows = model.endIteration().batches
        #expect(rows == [[1, 2], [3], [4]])
        model = PoolModel.open(3)
        for bytes in [1_048_576, 1, 2_000_000] { model.submit(bytes: bytes) }
        let bytes = model.endIteration().batches
        #expect(bytes == [[1], [2], [3]])
    }

    @Test func `a pooler gets one Sync at a time`() {
        var model = PoolModel(3)
        for id in model.tell(.started).opening { model.connected(id, isPooled: true) }
        let batches = model.send(.read, .read, .insert).batches
        #expect(batches == [[1, 2], [3]])
    }

    @Test func `a statement whose deadline passed while it waited is not sent`() {
        var model = PoolModel.open()
        model.submit(within: .milliseconds(1))
        model.submit()
        model.pass(.milliseconds(1))
        let actions = model.endIteration()
        #expect(actions.failures == [1: .deadlineExceeded] && actions.batches == [[2]])
        model.confirm(1)
        model.submit(within: .milliseconds(1))
        model.pass(.milliseconds(1))
        let alone = model.endIteration()
        #expect(alone.batches == [] && model.state.idleCount == 1)
    }

    @Test func `without memory for a batch its first statement is tried alone, and then again after a pause`() {
        var model = PoolModel.open(1, maximum: 1)
        model.send(.read, .read)
        let first = model.tell(.noMemory(1))
        #expect(first.batches == [[1]])
        let second = model.tell(.noMemory(1))
        #expect(second.batches == [] && second.moment(of: .grow) == model.now + PoolState.memoryPause)
        #expect(model.state.waiting.map(\.id) == [1, 2] && model.state.idleCount == 1)
        let none = model.endIteration().batches
        #expect(none == [] && !model.state.hasWork)
        model.tell(.timer(.grow))
        let again = model.endIteration().batches
        #expect(again == [[1, 2]])
    }

    @Test func `statements that found no memory go on waiting in their order`() {
        var model = PoolModel.open(1, maximum: 1)
        model.send(.read, .read, .read)
        model.tell(.noMemory(1))
        #expect(model.state.waiting.map(\.id) == [2, 3])
    }

    @Test func `waiting for memory is bounded by the wait limit`() {
        var model = PoolModel.open(1, maximum: 1)
        model.submit()
        model.pass(model.state.limits.waitLimit)
        model.tell(.timer(.wait))
        let sent = model.endIteration().batches
        model.tell(.noMemory(1))
        let failures = model.endIteration().failures
        #expect(sent == [[1]] && failures == [1: .waitTimedOut])
    }

    @Test func `without memory, connections with large buffers are closed first`() {
        var model = PoolModel.open(2, maximum: 2)
        model.send(.read)
        model.hear(2, [.synced(count: 1, isComplete: true, wasWarned: false)], isBusy: false, hasGrown: true)
        model.send(.read)
        let actions = model.tell(.noMemory(2))
        #expect(actions.closed == [2])
        let batches = model.endIteration().used
        #expect(batches == [1])
    }

    @Test func `a statement without memory for its parameters fails, unless it is refused anyway`() {
        var model = PoolModel.open()
        let failures = model.tell(.submitted(model.request(), hasMemory: false)).failures
        #expect(failures == [1: .outOfMemory])
        model.tell(.closing)
        let refused = model.tell(.submitted(model.request(), hasMemory: false)).failures
        #expect(refused == [2: .closing])
    }

    // Transactions that fail.

    @Test func `a statement that fails alone fails, and its connection stays`() {
        var model = PoolModel.open()
        model.send(.insert)
        let actions = model.confirm(1, after: [.failed([1], .duplicate, isPrepared: true)])
        #expect(actions.failures == [1: .duplicate] && actions.answered == [])
        #expect(model.state.idleCount == 1)
    }

    @Test func `if one of several fails, all run again, each with a Sync of its own`() {
        var model = PoolModel.open()
        model.send(.insert, .insert, .insert)
        let actions = model.confirm(1, 3, after: [.failed([2], .duplicate, isPrepared: true)])
        #expect(actions.failures == [:] && actions.answered == [] && actions.undone.sorted() == [1, 2, 3])
        let again = model.endIteration()
        #expect(again.batches == [[1, 2, 3]])
        let requests = model.state.inFlight(on: 1)
        #expect(requests[0].isApart(from: requests[1]) && requests[1].isApart(from: requests[2]))
        let answered = model.confirm(1, isBusy: true).answered
        let failures = model.confirm(1, after: [.failed([2], .duplicate, isPrepared: true)], isBusy: true).failures
        let last = model.confirm(1).answered
        #expect(answered == [1] && failures == [2: .duplicate] && last == [3])
    }

    @Test func `a failed commit repeats several statements, and fails a single one`() {
        var model = PoolModel.open()
        model.send(.insert, .insert)
        let undone = model.confirm(1, 2, after: [.commitFailed(.duplicate)]).undone
        #expect(undone.sorted() == [1, 2])
        model.endIteration()
        let failures = model.confirm(1, after: [.commitFailed(.duplicate)], isBusy: true).failures
        #expect(failures == [1: .duplicate])
    }

    @Test func `a statement that was skipped although none failed loses the connection`() {
        var model = PoolModel.open()
        model.send(.insert, .insert)
        let actions = model.confirm(1, 2, isComplete: false)
        #expect(actions.closed == [1] && actions.failures == [1: .connectionLost, 2: .connectionLost])
    }

    @Test func `a commit that a standby may lack fails the writes`() {
        var model = PoolModel.open()
        model.send(.read)
        let read = model.confirm(1, wasWarned: true).answered
        #expect(read == [1])
        model.send(.insert)
        let written = model.confirm(1, wasWarned: true).failures
        #expect(written == [2: .unconfirmed])
    }

    @Test func `a read without memory for its result runs again alone, and fails the second time`() {
        var model = PoolModel.open()
        model.send(.read, .read)
        let first = model.confirm(1, 1, after: [.unheld([1])])
        #expect(first.answered == [2] && first.undone == [1])
        model.endIteration()
        let second = model.confirm(1, 0, after: [.unheld([1])])
        #expect(second.failures == [1: .outOfMemory] && model.state.idleCount == 1)
    }

    // Waiting.

    @Test func `statements at their wait limit fail after all that could be served were`() {
        var model = PoolModel.open(1, maximum: 1)
        model.send(.read)
        model.submit()
        _ = model.lease(within: .milliseconds(1))
        let armed = model.endIteration().moment(of: .wait)
        #expect(armed == model.now + .milliseconds(1))
        model.pass(.milliseconds(1))
        model.tell(.timer(.wait))
        let first = model.endIteration()
        #expect(first.refused == [.waitTimedOut] && first.failures == [:])
        model.pass(model.state.limits.waitLimit)
        model.tell(.timer(.wait))
        model.confirm(1)
        // After a suspension, the answer and the deadline are due together.
        let second = model.endIteration()
        #expect(second.used == [1] && second.failures == [:])
    }

    @Test func `a statement waits for the wait limit, one that ran before for its own deadline`() {
        var model = PoolModel.open(1, maximum: 1)
        model.send(.read)
        model.broke(1)
        model.submit()
        model.pass(model.state.limits.waitLimit)
        model.tell(.timer(.wait))
        let first = model.endIteration().failures
        #expect(first == [2: .waitTimedOut])
        model.pass(.seconds(60))
        model.tell(.timer(.wait))
        let second = model.endIteration().failures
        #expect(second == [1: .deadlineExceeded])
    }

    @Test func `a caller with an earlier deadline moves the wait timer, one with a later deadline does not`() {
        var model = PoolModel.open(1, maximum: 1)
        model.send(.read)
        model.send(.read)
        let sooner = model.submit(within: .milliseconds(3)).moment(of: .wait)
        let later = model.submit().moment(of: .wait)
        #expect(sooner == model.now + .milliseconds(3) && later == nil)
    }

    // Leases.

    /// A pool whose only connection is lent.
    private static func lent() -> PoolModel {
        var model = PoolModel.open(1, maximum: 1)
        _ = model.lease()
        model.endIteration()
        return model
    }

    @Test func `a statement of a transaction is sent at once and never repeated`() {
        var model = Self.lent()
        let sent = model.tell(.submittedOn(1, model.request(.read)))
        #expect(sent.batches == [[2]])
        let failures = model.broke(1).failures
        #expect(failures == [2: .connectionLost])
        let none = model.tell(.submittedOn(1, model.request(.read))).failures
        #expect(none == [3: .connectionLost])
    }

    @Test
    func `a statement of a transaction waits during a cancel request, and fails with its connection`() {
        var model = Self.lent()
        model.tell(.submittedOn(1, model.request(.read, within: .milliseconds(5))))
        model.pass(.milliseconds(5))
        model.tell(.timer(.connection(1)))
        let held = model.tell(.submittedOn(1, model.request(.read))).batches
        let sent = model.tell(.cancelEnded(1, isOverdue: false)).batches
        #expect(held == [] && sent == [[3]])
        model.confirm(1, after: [.failed([2], .cancelled, isPrepared: true)], isBusy: true)
        model.pass(.seconds(10))
        model.tell(.timer(.connection(1)))
        model.tell(.submittedOn(1, model.request(.read)))
        let failures = model.broke(1).failures
        #expect(failures == [4: .connectionLost])
    }

    @Test func `each of two statements of a transaction has its own deadline`() {
        var model = Self.lent()
        model.tell(.submittedOn(1, model.request(.read)))
        let second = model.tell(.submittedOn(1, model.request(.read, within: .milliseconds(5))))
        guard case .send(let batch, on: 1)? = second.first else { return #expect(Bool(false)) }
        #expect(batch.deadline == model.now + .milliseconds(5))
        model.pass(.milliseconds(5))
        let failures = model.tell(.timer(.connection(1))).failures
        #expect(failures == [3: .deadlineExceeded])
    }

    @Test func `a connection returned inside a transaction is closed, and another one serves the next batch`() {
        var model = Self.lent()
        let open = model.tell(.leaseReturned(1, isInTransaction: true)).closed
        #expect(open == [1])
        model = Self.lent()
        let done = model.tell(.leaseReturned(1, isInTransaction: false)).closed
        let used = model.send(.read).used
        #expect(done == [] && used == [1])
        let twice = model.tell(.leaseReturned(1, isInTransaction: false))
        #expect(twice == [])
    }

    @Test func `a stopped statement of a transaction fails, since only its caller knows what else ran`() {
        var model = Self.lent()
        model.tell(.submittedOn(1, model.request(.read, within: .milliseconds(5))))
        model.tell(.submittedOn(1, model.request(.read)))
        model.pass(.milliseconds(5))
        model.tell(.timer(.connection(1)))
        model.tell(.cancelEnded(1, isOverdue: false))
        let actions = model.confirm(1, after: [.failed([2], .cancelled, isPrepared: true)], isBusy: true)
        let other = model.confirm(1, after: [.failed([3], .cancelled, isPrepared: true)])
        #expect(actions.failures == [:] && other.failures == [3: .cancelled])
    }
}
