import Postgres
import Testing

struct StatementTests {
    @Test func `every statement has an ordinal of its own, in the order they are made`() {
        let statements = (0..<10).map { Statement("s\($0)", "SELECT \($0)") }
        for (earlier, later) in zip(statements, statements.dropFirst()) { #expect(earlier.ordinal < later.ordinal) }
        #expect(statements[3].name == "s3" && statements[3].sql == "SELECT 3" && statements[3].kind == .read)
    }
}
