import Testing

@testable import Items

struct MigrationsTests {
    @Test func `every step has a name of its own that needs no quoting`() {
        let names = Migrations.steps.map(\.name)
        #expect(Set(names).count == names.count)
        for name in names { #expect(!name.isEmpty && name.allSatisfy { $0.isLetter || $0.isNumber || $0 == "_" }) }
    }

    @Test func `no step ends the transaction that all of them share`() {
        for step in Migrations.steps {
            let words = step.sql.uppercased().split { !$0.isLetter }
            #expect(!words.contains { ["BEGIN", "COMMIT", "ROLLBACK", "CONCURRENTLY", "VACUUM"].contains($0) })
        }
    }
}
