import Testing

@testable import Postgres

struct BatchSizeTests {
    @Test func `sums parameters, including their copies`() {
        let size = BatchSize().adding(parameters: 100, result: 0).adding(parameters: 50, result: 0)
        #expect(size.parameters == 150)
        #expect(size.bytes == 150 * BatchSize.copiesOfParameters)
    }

    @Test func `counts only the largest result`() {
        let size = BatchSize().adding(parameters: 0, result: 10).adding(parameters: 0, result: 30)
            .adding(parameters: 0, result: 20)
        #expect(size.bytes == 30)
    }

    @Test func `counts one result per group of merged lookups`() {
        var size = BatchSize()
        for _ in 0..<3 { size = size.adding(parameters: 0, result: 10, isLookup: true) }
        #expect(size.bytes == 30)
        for _ in 0..<1000 { size = size.adding(parameters: 0, result: 10, isLookup: true) }
        #expect(size.bytes == 10 * Connection.groupLimit)
    }

    @Test func `counts the result of a statement that runs alone in addition`() {
        let size = BatchSize().adding(parameters: 0, result: 10, isAlone: true)
            .adding(parameters: 0, result: 10, isLookup: true, isAlone: true).adding(parameters: 0, result: 5)
        #expect(size.bytes == 25)
    }
}
