import Testing

@testable import Reactor

struct MemoryBudgetTests {
    @Test func `bytes are reserved up to the share of their purpose`() {
        let budget = MemoryBudget(limit: 1600)
        #expect(budget.reserve(1100, for: .body))
        #expect(!budget.reserve(1, for: .body))
        #expect(budget.reserve(100, for: .answer))
        #expect(!budget.reserve(1, for: .answer))
        #expect(budget.reserve(200, for: .connection))
        #expect(!budget.reserve(1, for: .connection))
        #expect(budget.reserve(200, for: .statement))
        #expect(!budget.reserve(1, for: .statement))
        #expect(budget.used == 1600)
    }

    @Test func `a refused reservation takes nothing`() {
        let budget = MemoryBudget(limit: 1600)
        #expect(!budget.reserve(1601, for: .statement))
        #expect(budget.used == 0)
    }

    @Test func `released bytes can be reserved again`() {
        let budget = MemoryBudget(limit: 1600)
        #expect(budget.reserve(1600, for: .statement))
        budget.release(300)
        #expect(budget.reserve(300, for: .statement))
        #expect(budget.used == 1600)
    }

    @Test func `bytes that cannot be refused count against later reservations`() {
        let budget = MemoryBudget(limit: 1600)
        budget.take(1700)
        #expect(budget.used == 1700)
        #expect(!budget.allows(0, for: .statement))
        #expect(!budget.reserve(1, for: .statement))
    }

    @Test(arguments: [MemoryBudget.Purpose.connection, .body, .answer, .parameter])
    func `clients and waiting statements leave an eighth to statements being executed`(
        purpose: MemoryBudget.Purpose
    ) {
        let budget = MemoryBudget(limit: 1600)
        #expect(budget.share(of: purpose) <= 1400)
        #expect(budget.allows(budget.share(of: purpose), for: purpose))
        #expect(!budget.allows(budget.share(of: purpose) + 1, for: purpose))
    }

    @Test func `an unlimited budget refuses nothing`() {
        #expect(MemoryBudget.unlimited.reserve(1 << 40, for: .body))
    }
}
