import Glibc
import Postgres
import Reactor
import Testing

@testable import Items

@Suite(.needsServer, .timeLimit(.minutes(1)))
struct KeyExpiryTests {
    @Test func `removes every key that is past its time, over several batches, and no other`() async throws {
        let schema = try Schema()
        try schema.session().execute(
            Migrations.steps.map(\.sql).joined(separator: ";") + """
                ;INSERT INTO idempotency_keys
                SELECT 'old ' || n, '', n, now() - interval '24 hours 1 minute'
                FROM generate_series(1, \(ItemStore.expiryBatch * 2 + 1)) n;
                INSERT INTO idempotency_keys VALUES ('young', '', 0, now() - interval '23 hours 59 minutes')
                """)
        let loop = try EventLoop(index: 0)
        loop.start()
        defer { loop.stop() }
        let pool = Pool(
            on: loop, minimum: 1, maximum: 1, waitMilliseconds: 3000, statementMilliseconds: 5000,
            connector: Connector(
                options: { () throws(DatabaseError) in Schema.options },
                prepare: { (session) throws(DatabaseError) in try schema.use(in: session) }), observe: { _ in })
        await pool.open()
        await KeyExpiry(on: loop, store: ItemStore(pool)).expire()
        await pool.close(withinMilliseconds: 1000)
        #expect(try schema.session().execute("SELECT key FROM idempotency_keys") == [["young"]])
    }
}
