import Testing

@testable import Postgres

struct StatementTableTests {
    private static let statement = Statement("table", "SELECT 1")

    private static func pending() -> PendingStatement {
        PendingStatement(statement, .list([]), rows: 1) { _ in }
    }

    @Test func `each statement is found by its id until it is removed`() {
        var table = StatementTable()
        let all = (0..<10).map { _ in Self.pending() }
        for pending in all { table.insert(pending) }
        #expect(Set(all.map(\.id)).count == 10 && table.count == 10)
        for pending in all {
            #expect(table[pending.id] === pending)
            #expect(table.remove(pending.id) === pending)
        }
        #expect(table.count == 0)
    }

    @Test func `an id is never reused, although places are`() {
        var table = StatementTable()
        var numbers: Set<UInt64> = []
        for _ in 0..<1000 {
            let pending = Self.pending()
            table.insert(pending)
            numbers.insert(pending.id)
            _ = table.remove(pending.id)
        }
        #expect(numbers.count == 1000)
    }

    @Test func `traps at the id of a removed statement, even if its place is in use again`() async {
        await #expect(processExitsWith: .failure) {
            var table = StatementTable()
            let first = Self.pending()
            table.insert(first)
            _ = table.remove(first.id)
            table.insert(Self.pending())
            _ = table[first.id]
        }
    }
}
