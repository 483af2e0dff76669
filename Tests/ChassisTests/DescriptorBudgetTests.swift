import Reactor
import Testing

@testable import Chassis

struct DescriptorBudgetTests {
    private func settings(_ variables: [String: String] = [:]) throws -> Configuration {
        try configuration(["WORKERS": "2", "DB_POOL_MAX": "10", "MAX_CONNECTIONS": "10000"].merging(variables) { $1 })
    }

    @Test func `gives clients the configured number if the limit allows it`() throws {
        let budget = try DescriptorBudget(settings(), limit: 20_000, open: 3)
        #expect(budget.connections == 10_000 && budget.adminConnections == 0 && budget.warning == nil)
    }

    @Test func `gives clients the remaining descriptors, and reports the numbers`() throws {
        let budget = try DescriptorBudget(settings(), limit: 1024, open: 3)
        #expect(budget.connections == 1024 - budget.reserved)
        #expect(
            budget.warning == """
                MAX_CONNECTIONS is lowered from 10000 to \(budget.connections): 1024 descriptors may be open (RLIMIT_NOFILE), \
                and \(budget.reserved) are kept for the database and the server itself
                """)
    }

    @Test(arguments: [
        [:], ["WORKERS": "8"], ["DB_POOL_MAX": "40"], ["DB_SECRET_ID": "s"], ["ADMIN_PORT": "9000"],
        ["DB_POOL_MAX": "1", "DB_POOL_MIN": "1", "WORKERS": "8"],
    ])
    func `reserves more for more loops, connections and ports, and never exceeds the limit`(
        variables: [String: String]
    ) throws {
        let least = try DescriptorBudget(settings(["WORKERS": "1", "DB_POOL_MAX": "2"]), limit: 1024, open: 3)
        let budget = try DescriptorBudget(settings(variables), limit: 1024, open: 3)
        #expect(budget.reserved > least.reserved)
        #expect(budget.reserved + budget.connections + budget.adminConnections == 1024)
    }

    @Test(arguments: [
        // The connection's socket, and the duplicate that its loop watches.
        (["DB_POOL_MAX": "11"], 2),
        // The descriptors that resolve the server's name and read a password come with the loop's pool.
        (["WORKERS": "3"], EventLoop.descriptorCount + Listener.descriptorCount + 2),
        (["ADMIN_PORT": "9000"], 2 * Listener.descriptorCount), (["DB_SECRET_ID": "s"], 8),
    ])
    func `reserves what one more connection, loop, port or secret needs`(
        variables: [String: String], count: Int
    ) throws {
        let budget = try DescriptorBudget(settings(), limit: 1024, open: 3)
        #expect(try DescriptorBudget(settings(variables), limit: 1024, open: 3).reserved - budget.reserved == count)
    }

    @Test func `counts descriptors that are already open`() throws {
        let few = try DescriptorBudget(settings(), limit: 1024, open: 3)
        let many = try DescriptorBudget(settings(), limit: 1024, open: 103)
        #expect(few.connections - many.connections == 100)
    }

    @Test func `fails the start if too few are left, and says how many are needed`() throws {
        let configuration = try settings()
        let shortage = #expect(throws: DescriptorBudget.Shortage.self) {
            try DescriptorBudget(configuration, limit: 40, open: 3)
        }
        let needed = try #require(shortage).needed
        #expect(
            "\(try #require(shortage))"
                == "40 descriptors may be open (RLIMIT_NOFILE), and at least \(needed) are needed")
        #expect(try DescriptorBudget(configuration, limit: needed, open: 3).connections == 4)
        #expect(throws: DescriptorBudget.Shortage.self) {
            try DescriptorBudget(configuration, limit: needed - 1, open: 3)
        }
    }

    @Test func `accepts a small configured number`() throws {
        let configuration = try settings(["MAX_CONNECTIONS": "1"])
        let needed = try DescriptorBudget(configuration, limit: 1024, open: 3).reserved + 1
        #expect(try DescriptorBudget(configuration, limit: needed, open: 3).connections == 1)
    }

    @Test func `reserves places for the operators' port`() throws {
        let wide = try DescriptorBudget(settings(["ADMIN_PORT": "9000"]), limit: 20_000, open: 3)
        #expect(wide.connections == 10_000 && wide.adminConnections == 100)
        let narrow = try DescriptorBudget(settings(["ADMIN_PORT": "9000"]), limit: 80, open: 3)
        #expect(narrow.adminConnections == 2)
    }

    @Test func `gives the operators' port a tenth, and no more than clients get`() throws {
        let narrow = try DescriptorBudget(settings(["ADMIN_PORT": "9000"]), limit: 500, open: 3)
        #expect(narrow.adminConnections == (500 - narrow.reserved) / 10 && narrow.adminConnections > 20)
        let few = try DescriptorBudget(
            settings(["ADMIN_PORT": "9000", "MAX_CONNECTIONS": "7"]), limit: 20_000, open: 3)
        #expect(few.connections == 7 && few.adminConnections == 7)
    }

    @Test func `fails the start if both ports have too few, and says how many are needed`()
        throws
    {
        let configuration = try settings(["ADMIN_PORT": "9000"])
        let shortage = #expect(throws: DescriptorBudget.Shortage.self) {
            try DescriptorBudget(configuration, limit: 40, open: 3)
        }
        let budget = try DescriptorBudget(configuration, limit: try #require(shortage).needed, open: 3)
        #expect(budget.connections == 4 && budget.adminConnections == 2)
    }

    @Test func `a number that was not lowered gives no warning`() throws {
        let configuration = try settings(["MAX_CONNECTIONS": "100"])
        let reserved = try DescriptorBudget(configuration, limit: 1024, open: 3).reserved
        #expect(try DescriptorBudget(configuration, limit: reserved + 100, open: 3).warning == nil)
        #expect(try DescriptorBudget(configuration, limit: reserved + 99, open: 3).warning != nil)
    }
}
