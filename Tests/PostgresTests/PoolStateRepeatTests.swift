import Platform
import Testing

@testable import Postgres

/// What runs again after a lost connection, and how all connections are replaced.
struct PoolStateRepeatTests {
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
}
