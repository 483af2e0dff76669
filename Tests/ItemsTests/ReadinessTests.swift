import Postgres
import Testing

@testable import Chassis
@testable import Items
@testable import TestSupport

struct ReadinessTests {
    @Test(.needsServer, arguments: IdempotencyKey.columnNames)
    func `checks the columns of keys, which a former schema may lack`(column: String) throws {
        let schema = try EmptySchema()
        let session = try schema.session()
        try Migrations.items().apply(to: session)
        #expect(try session.execute(ItemStore.readiness) == [["t"]])
        try session.execute("ALTER TABLE idempotency_keys DROP COLUMN \(column)")
        let error = #expect(throws: DatabaseError.self) { try session.execute(ItemStore.readiness) }
        #expect(!Health.passes(error))
    }
}
