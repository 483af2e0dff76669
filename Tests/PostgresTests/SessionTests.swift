import Reactor
import Testing

@testable import Postgres

@Suite(.needsServer, .timeLimit(.minutes(1)))
struct SessionTests {
    @Test func `runs several statements as one transaction and gives the last one's rows as text`() throws {
        let session = try Session(Server.options)
        let table = Server.uniqueName()
        #expect(try session.execute("CREATE TEMP TABLE \(table) (a int)").isEmpty)
        let rows = try session.execute(
            "INSERT INTO \(table) VALUES (1), (2), (NULL); SELECT a, a IS NULL FROM \(table) ORDER BY a")
        #expect(rows == [["1", "f"], ["2", "f"], [nil, "t"]])
        #expect(throws: DatabaseError.self) { try session.execute("INSERT INTO \(table) VALUES (3); SELECT 1 / 0") }
        #expect(try session.execute("SELECT count(*) FROM \(table)") == [["3"]])
    }

    @Test func `tells the server's refusal`() throws {
        let session = try Session(Server.options)
        try session.execute("CREATE TEMP TABLE refused (a int CONSTRAINT only_one UNIQUE)")
        do {
            try session.execute("INSERT INTO refused VALUES (1), (1)")
            Issue.record("nothing was refused")
        } catch {
            guard case .server(let report) = error else {
                Issue.record("\(error)")
                return
            }
            #expect(report.sqlState == "23505" && report.constraint == "only_one")
            #expect(report.message == #"duplicate key value violates unique constraint "only_one""#)
        }
    }

    @Test func `a broken connection is an error each time`() throws {
        let session = try Session(Server.options)
        #expect(throws: DatabaseError.self) { try session.execute("SELECT pg_terminate_backend(pg_backend_pid())") }
        #expect(throws: DatabaseError.connectionLost) { try session.execute("SELECT 1") }
    }

    @Test func `says why it cannot connect`() {
        var options = Server.options
        options.database = "nobody's database"
        do {
            _ = try Session(options)
            Issue.record("connected")
        } catch {
            guard case .server(let refusal) = error else {
                Issue.record("\(error)")
                return
            }
            #expect(refusal.sqlState == "3D000")
            #expect(refusal.message.hasSuffix(#"FATAL: database "nobody's database" does not exist"#))
            #expect(!refusal.message.contains("\n") && !refusal.message.contains("LOCATION"))
        }
    }

    @Test func `values of options are never read as keywords`() {
        var options = Server.options
        options.database = "dbname=items host=/elsewhere"
        #expect(throws: DatabaseError.self) { try Session(options) }
        options = Server.options
        options.password = "x' user='postgres"
        #expect(throws: Never.self) { try Session(options) }
    }

    @Test func `notices are kept quiet`() throws {
        let session = try Session(Server.options)
        #expect(try session.execute("DROP TABLE IF EXISTS never_there").isEmpty)
    }

    @Test func `an interruption ends what runs, at the server too, and lets nothing begin`() async throws {
        let interruption = try Interruption()
        var options = Server.options
        // Only the interruption ends it, however late the test looks.
        options.statementTimeoutMilliseconds = 60_000
        let connector = Connector(options: always(options), interruption: interruption)
        let name = Server.uniqueName()
        let (errors, error) = AsyncStream<DatabaseError?>.makeStream()
        // At once: a task would begin only when the other tests leave it a thread.
        let isStarted = BlockingThread.start {
            do throws(DatabaseError) {
                let session = try connector.session()
                try session.execute("SET application_name = '\(name)'")
                try session.execute("SELECT pg_sleep(60)", within: 60_000)
                error.yield(nil)
            } catch let reason { error.yield(reason) }
        }
        #expect(isStarted)
        let sleeping = "SELECT count(*) FROM pg_stat_activity WHERE application_name = '\(name)' AND state = 'active'"
        // A busy machine may take its time to begin it.
        while try await !Server.wait(for: sleeping, toBe: "1") {}
        interruption.begin()
        #expect(await errors.first { _ in true } == .some(.closing))
        #expect(try await Server.wait(for: sleeping, toBe: "0"))
        #expect(throws: DatabaseError.closing) { try connector.session() }
    }
}
