import Platform
import Testing

@testable import Postgres

/// Outcomes of statements: batches, failures, repeats, deadlines.
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

    // Losses.

    @Test func `after a lost connection reads run again elsewhere, and writes fail`() {
        var model = PoolModel.open(2)
        model.send(.read, .insert, .update)
        let actions = model.broke(2)
        #expect(actions.failures == [2: .connectionLost, 3: .connectionLost] && actions.undone == [1])
        let again = model.endIteration()
        #expect(again.used == [1] && again.batches == [[1]])
    }

    @Test func `a statement that was certainly not sent runs again, even a write`() {
        var model = PoolModel.open(2)
        model.send(.insert, .insert)
        let actions = model.broke(2, unsent: 1)
        #expect(actions.failures == [1: .connectionLost] && actions.undone == [2])
    }

    @Test func `a read is repeated at most once more than the maximum of connections`() {
        var model = PoolModel.open(1, maximum: 3)
        model.submit()
        for attempt in 1...5 {
            model.endIteration()
            let id = model.state.uses.keys.max() ?? 0
            #expect(model.state.inFlight(on: id).count == 1)
            let actions = model.broke(id)
            #expect(actions.failures == (attempt == 5 ? [1: .connectionLost] : [:]), "attempt \(attempt)")
            if let next = actions.opening.first { model.connected(next) }
        }
        #expect(model.state.limits.repeatLimit == 4)
    }

    @Test
    func `a read refused because its session ended runs again, one refused for its own error does not`() {
        var model = PoolModel.open(2)
        model.send(.read, .read)
        let actions = model.hear(2, [.failed([1], .shutdown, isPrepared: true), .lost(.shutdown)])
        #expect(actions.undone.sorted() == [1, 2] && actions.closed == [2])
        model.endIteration()
        let other = model.hear(1, [.failed([1], .server("22012"), isPrepared: true), .lost(.connectionLost)])
        #expect(other.failures == [1: .server("22012")] && other.undone == [2])
    }

    @Test
    func
        `of statements that ran as one and were refused none is told that, when the connection is lost before their Sync`()
    {
        var model = PoolModel.open(2)
        model.send(.insert, .insert)
        let actions = model.hear(2, [.failed([1, 2], .duplicate, isPrepared: true), .lost(.connectionLost)])
        #expect(actions.failures == [1: .connectionLost, 2: .connectionLost])
        model.send(.insert)
        let alone = model.hear(1, [.failed([3], .duplicate, isPrepared: true), .lost(.connectionLost)])
        #expect(alone.failures == [3: .duplicate])
    }

    @Test(arguments: [DatabaseError.stalePlan, .missingTable])
    func `a write refused for outdated prepared statements runs again when the connection is lost before its Sync`(
        error: DatabaseError
    ) {
        var model = PoolModel.open(2)
        model.send(.insert)
        let alone = model.hear(2, [.failed([1], error, isPrepared: true), .lost(.connectionLost)])
        #expect(alone.failures == [:] && alone.undone == [1] && alone.opening == [3])
        model.connected(3)
        let again = model.endIteration()
        #expect(again.batches == [[1]] && again.used == [3])
        var other = PoolModel.open(2)
        other.send(.insert, .insert)
        let several = other.hear(2, [.failed([1, 2], error, isPrepared: true), .lost(.connectionLost)])
        #expect(several.failures == [:] && Set(several.undone) == [1, 2])
    }

    @Test(arguments: [DatabaseError.readOnly, .stalePlan])
    func `an error about all connections counts even if the connection that received it is lost`(
        error: DatabaseError
    ) {
        var model = PoolModel.open(3)
        model.send(.insert)
        let actions = model.hear(3, [.failed([1], error, isPrepared: true), .lost(.connectionLost)])
        #expect(actions.closed.sorted() == [1, 2, 3] && actions.news == [.retired(error)])
    }

    @Test func `an unprepared write that missed an object fails when the connection is lost`() {
        var model = PoolModel.open(2)
        model.send(.insert)
        let actions = model.hear(2, [.failed([1], .missingTable, isPrepared: false), .lost(.connectionLost)])
        #expect(actions.failures == [1: .missingTable] && actions.undone == [])
    }

    @Test func `while the pool closes nothing is repeated after a loss`() {
        var model = PoolModel.open()
        model.send(.read)
        model.tell(.closing)
        let failures = model.broke(1).failures
        #expect(failures == [1: .connectionLost])
    }

    // Retirement of all connections.

    @Test func `a read-only server makes all connections reopen, at most once per pause`() {
        var model = PoolModel.open(3)
        model.send(.insert)
        let first = model.confirm(3, after: [.failed([1], .readOnly, isPrepared: true)])
        #expect(first.failures == [1: .readOnly] && first.closed.sorted() == [1, 2, 3])
        #expect(first.news == [.retired(.readOnly)])
        model.connected(4)
        model.send(.insert)
        let second = model.confirm(4, after: [.failed([2], .readOnly, isPrepared: true)])
        #expect(second.closed == [] && second.news == [])
        model.pass(PoolState.retirementPause)
        model.submit(.insert)
        let used = model.endIteration().used
        let third = model.confirm(used[0], after: [.failed([3], .readOnly, isPrepared: true)])
        #expect(third.closed.contains(used[0]))
    }

    @Test func `another pool's retirement retires these connections, busy ones later, and is not passed on`() {
        var model = PoolModel.open(2)
        model.send(.read)
        let first = model.tell(.siblingRetired(.readOnly))
        #expect(first.closed == [1] && first.news == [])
        let second = model.confirm(2)
        #expect(second.answered == [1] && second.closed == [2])
    }

    @Test func `a statement that met outdated prepared statements runs on another connection`() {
        var model = PoolModel.open(2)
        model.send(.insert)
        let actions = model.confirm(2, after: [.failed([1], .stalePlan, isPrepared: true)])
        #expect(actions.failures == [:] && actions.undone == [1] && actions.closed.sorted() == [1, 2])
        model.connected(3)
        let again = model.endIteration().used
        #expect(again == [3])
    }

    @Test func `a missing table concerns the connection if the statement was prepared, otherwise the statement`() {
        var model = PoolModel.open(2)
        model.send(.insert)
        let prepared = model.confirm(2, after: [.failed([1], .missingTable, isPrepared: true)])
        #expect(prepared.undone == [1])
        model = PoolModel.open(2)
        model.send(.insert)
        let unprepared = model.confirm(2, after: [.failed([1], .missingTable, isPrepared: false)])
        #expect(unprepared.failures == [1: .missingTable])
    }

    @Test func `soon after a retirement, several statements that miss a table run alone, and then fail`() {
        var model = PoolModel.open(1, maximum: 1)
        model.tell(.siblingRetired(.stalePlan))
        model.connected(2)
        model.send(.insert, .insert)
        let first = model.confirm(2, 2, after: [.failed([1], .missingTable, isPrepared: true)])
        #expect(first.undone.sorted() == [1, 2] && first.closed == [])
        model.endIteration()
        let second = model.confirm(2, after: [.failed([1], .missingTable, isPrepared: true)], isBusy: true)
        #expect(second.failures == [1: .missingTable])
    }

    // Deadlines and cancel requests.

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
