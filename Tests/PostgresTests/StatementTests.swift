import Testing

@testable import Postgres

struct StatementTests {
    @Test func `every statement has its own ordinal, in order of creation`() {
        let statements = (0..<10).map { Statement("s\($0)", "SELECT \($0)") }
        for (earlier, later) in zip(statements, statements.dropFirst()) { #expect(earlier.ordinal < later.ordinal) }
        #expect(statements[3].name == "s3" && statements[3].sql == "SELECT 3" && statements[3].kind == .read)
    }

    private func message(_ result: ExitTest.Result?) -> String {
        String(decoding: result?.standardErrorContent ?? [], as: UTF8.self)
    }

    @Test func `a write without a kind is refused with its name and the right kind`() async {
        let insert = await #expect(processExitsWith: .failure, observing: [\.standardErrorContent]) {
            _ = Statement("create_note", "INSERT INTO notes (text) VALUES ($1::text) RETURNING id")
        }
        #expect(message(insert).contains("create_note is a .read and has INSERT: give it `kind: .insert`"))
        let update = await #expect(processExitsWith: .failure, observing: [\.standardErrorContent]) {
            _ = Statement("lock_note", "SELECT id FROM notes WHERE id = $1::int8 FOR UPDATE")
        }
        #expect(message(update).contains("lock_note is a .read and has UPDATE: give it `kind: .update`"))
    }

    @Test func `a wrong number of parameters is refused with both numbers`() async {
        let result = await #expect(processExitsWith: .failure, observing: [\.standardErrorContent]) {
            _ = Arguments([.int64(1)], for: Statement("two", "SELECT $1::int8, $2::int8"))
        }
        #expect(message(result).contains("two takes 2 parameters, and was given 1"))
    }

    @Test func `the merged statement and the fallback must take the same number of parameters`() async {
        await #expect(processExitsWith: .failure) {
            _ = Statement("one", "SELECT $1::int8", lookingUp: Statement("many", "SELECT 1"))
        }
        await #expect(processExitsWith: .failure) {
            let fallback = Statement.Fallback(Statement("long", "SELECT $1::int8, $2::int8")) { _ in true }
            _ = Statement("short", "SELECT $1::int8", or: fallback)
        }
    }
}
