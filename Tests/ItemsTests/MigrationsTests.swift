import Postgres
import Testing

@testable import Chassis
@testable import Items
@testable import TestSupport

struct MigrationsTests {
    @Test func `every step has a unique name that needs no quoting`() {
        let names = Migration.items.map(\.name)
        #expect(Set(names).count == names.count)
        for name in names { #expect(!name.isEmpty && name.allSatisfy { $0.isLetter || $0.isNumber || $0 == "_" }) }
    }

    @Test func `no step ends the shared transaction`() {
        for step in Migration.items {
            // A function's body is a text here: its BEGIN is a block's.
            let parts = step.sql.split(separator: "$$", omittingEmptySubsequences: false)
            #expect(!parts.count.isMultiple(of: 2))
            let statements = parts.enumerated().filter { $0.offset.isMultiple(of: 2) }.map(\.element).joined()
            let words = statements.uppercased().split { !$0.isLetter }
            #expect(!words.contains { ["BEGIN", "COMMIT", "ROLLBACK", "CONCURRENTLY", "VACUUM"].contains($0) })
        }
    }
}

struct FormerRecordTests {
    private static let columns = "version integer, name text, applied_at timestamp with time zone"

    private func record(_ columns: String?, _ rows: [[String?]] = []) throws -> FormerRecord {
        try FormerRecord(columns: columns) { rows }
    }

    @Test func `is of this service if it has the columns and the first step`() throws {
        #expect(try record(Self.columns, []) == .ours(stepCount: 0))
        #expect(try record(Self.columns, [["1", "items"]]) == .ours(stepCount: 1))
        #expect(try record(Self.columns, [["1", "items"], ["2", "idempotency_keys"]]) == .ours(stepCount: 2))
    }

    @Test(arguments: [
        [["1", "users"]], [["2", "idempotency_keys"]], [["1", "items"], ["3", "idempotency_keys"]],
        [["1", "items"], ["2", "idempotency_keys"], ["3", "more"]],
    ])
    func `is foreign if it has other steps`(rows: [[String]]) throws {
        #expect(try record(Self.columns, rows) == .foreign)
    }

    @Test(arguments: ["version bigint, dirty boolean", "version character varying", "version integer, name text"])
    func `is foreign if it has other columns, and is not read`(columns: String) throws {
        let record = try FormerRecord(columns: columns) { () throws(DatabaseError) in
            throw .unexpectedResult("read")
        }
        #expect(record == .foreign && record.completion == nil)
    }

    @Test func `is created or completed for former versions`() throws {
        #expect(try record(nil) == .none)
        #expect(FormerRecord.none.completion?.contains("version > 0 AND version <= 2") == true)
        #expect(FormerRecord.ours(stepCount: 1).completion?.contains("version > 1 AND version <= 2") == true)
        #expect(FormerRecord.ours(stepCount: 2).completion == nil)
    }
}
