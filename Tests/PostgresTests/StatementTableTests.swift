import CPostgres
import Testing

@testable import Postgres

struct StatementTableTests {
    private static let statement = Statement("table", "SELECT 1")

    private static func insert(into table: inout StatementTable) -> PoolState.Request.ID {
        table.insert(statement, .list([]), for: CallingFunction { _ in })
    }

    @Test func `each statement is found by its id until it is removed`() {
        var table = StatementTable()
        let callers = (0..<10).map { _ in CallingFunction { _ in } }
        let ids = callers.map { table.insert(Self.statement, .list([]), for: $0) }
        #expect(Set(ids).count == 10 && table.count == 10)
        for (id, caller) in zip(ids, callers) {
            #expect(table.contains(id) && table[id].id == id && table[id].caller === caller)
            #expect(table.remove(id).caller === caller)
            #expect(!table.contains(id))
        }
        #expect(table.count == 0)
    }

    @Test func `an id is never reused, although places are`() {
        var table = StatementTable()
        var ids: Set<UInt64> = []
        for _ in 0..<1000 {
            let id = Self.insert(into: &table)
            ids.insert(id)
            _ = table.remove(id)
        }
        #expect(ids.count == 1000)
    }

    @Test func `does not take the statement in a reused place for the removed one`() {
        var table = StatementTable()
        let first = Self.insert(into: &table)
        _ = table.remove(first)
        let second = Self.insert(into: &table)
        #expect(!table.contains(first) && table.contains(second))
    }

    @Test func `drops a late result of a removed statement whose place is in use again`() {
        var table = StatementTable()
        let first = Self.insert(into: &table)
        _ = table.remove(first)
        let second = Self.insert(into: &table)
        // Freed with the execution that takes it over.
        guard let result = unsafe PQmakeEmptyPGresult(nil, PGRES_TUPLES_OK) else { fatalError("no memory") }
        let late = Rows(unsafe Execution(owning: result, isUTF8: true))
        table.store(late, for: first)
        #expect(table[second].result == nil)
        table.store(late, for: second)
        #expect(table[second].result?.isEmpty == true)
    }

    @Test func `traps at the id of a removed statement, even if its place is in use again`() async {
        await #expect(processExitsWith: .failure) {
            var table = StatementTable()
            let first = Self.insert(into: &table)
            _ = table.remove(first)
            _ = Self.insert(into: &table)
            _ = table[first]
        }
    }
}
