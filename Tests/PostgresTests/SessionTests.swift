import Glibc
import Platform
import Reactor
import Synchronization
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

    @Test func `throws the server's error`() throws {
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
        let error = #expect(throws: DatabaseError.self) {
            try session.execute("SELECT pg_terminate_backend(pg_backend_pid())")
        }
        #expect(error?.sqlState == "57P01", "why the server ended it")
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

    @Test func `notices are not printed`() throws {
        let session = try Session(Server.options)
        #expect(try session.execute("DROP TABLE IF EXISTS never_there").isEmpty)
    }

    @Test func `an interruption ends the running command, also at the server, and prevents new ones`() async throws {
        let interruption = try Interruption()
        var options = Server.options
        // A limit that only the interruption can undercut.
        options.statementTimeout = .milliseconds(60_000)
        let connector = Connector(options: always(options), interruption: interruption)
        let name = Server.uniqueName()
        let (errors, error) = AsyncStream<DatabaseError?>.makeStream()
        // On a thread, because a task might not start while other tests use all threads.
        try Thread.start {
            do throws(DatabaseError) {
                let session = try connector.session()
                try session.execute("SET application_name = '\(name)'")
                try session.execute("SELECT pg_sleep(60)", within: .seconds(60))
                error.yield(nil)
            } catch let reason { error.yield(reason) }
        }
        let sleeping = "SELECT count(*) FROM pg_stat_activity WHERE application_name = '\(name)' AND state = 'active'"
        // On a busy machine the command may take time to begin.
        while try await !Server.wait(for: sleeping, toBe: "1") {}
        interruption.begin()
        #expect(await errors.first { _ in true } == .some(.closing))
        #expect(try await Server.wait(for: sleeping, toBe: "0"))
        #expect(throws: DatabaseError.closing) { try connector.session() }
    }

    @Test func `nothing begins on an open session once it is interrupted`() async throws {
        let interruption = try Interruption()
        let session = try Connector(options: always(Server.options), interruption: interruption).session()
        try await withTable { (table) async throws in
            interruption.begin()
            #expect(throws: DatabaseError.closing) { try session.execute("INSERT INTO \(table) VALUES (1)") }
            #expect(try await Server.value("SELECT count(*) FROM \(table)") == "0")
        }
    }

    @Test func `waits for an answer up to the given limit, by default the statement timeout plus one second`()
        async throws
    {
        var options = Server.options
        options.statementTimeout = .milliseconds(-900)
        let session = try Session(options)
        #expect(try session.execute("SELECT 1 FROM pg_sleep(0.3)", within: .seconds(30)) == [["1"]])
        #expect(throws: DatabaseError.connectionLost) { try session.execute("SELECT pg_sleep(30)") }
    }

    @Test func `settings apply to the session from then on`() throws {
        let session = try Session(Server.options)
        #expect(try session.set([("statement_timeout", "4321"), ("enable_seqscan", "off")]))
        #expect(try session.execute("SHOW statement_timeout") == [["4321ms"]])
        #expect(try session.execute("SHOW enable_seqscan") == [["off"]])
    }

    @Test(arguments: ["it's", "'\u{301}", #"back\slash"#, #"\'"#, "", "$1 ; --"], ["on", "off"])
    func `a setting's value arrives unchanged`(value: String, standardStrings: String) throws {
        let session = try Session(Server.options)
        try session.execute("SET standard_conforming_strings = \(standardStrings)")
        #expect(try session.set([("test.value", value)]))
        #expect(try session.execute("SHOW test.value") == [[value]])
    }

    @Test func `a session is usable after preparing statements, also with a command after them`() throws {
        let session = try Session(Server.options)
        let (one, two) = (Statement("one_prepared", "SELECT 1"), Statement("two_prepared", "SELECT 2"))
        try session.prepare([one])
        #expect(try session.execute("EXECUTE one_prepared") == [["1"]])
        try session.prepare([two], then: "DO $$ BEGIN EXECUTE 'DEALLOCATE one_prepared'; END $$")
        #expect(try session.execute("SELECT name FROM pg_prepared_statements") == [["two_prepared"]])
    }

    @Test
    func `recognises a pooler that does not translate the names of prepared statements`()
        throws
    {
        let session = try Session(Server.options)
        let error = #expect(throws: DatabaseError.self) { try session.requirePreparedStatementsOfPooler() }
        #expect(error?.sqlState == "26000" && error?.description.contains("DB_PREPARED=0") == true)
    }
}

/// Connecting to a server without TLS.
@Suite(.timeLimit(.minutes(1)))
struct SessionWithoutTLSTests {
    private func error(of options: ConnectionOptions) async -> DatabaseError? {
        // On a separate thread, because it would block the threads of other tests' tasks.
        await BlockingThread.run {
            do throws(DatabaseError) {
                _ = try Session(options)
                return nil
            } catch { return error }
        } ?? nil
    }

    @Test func `prefer continues without TLS in the remaining time`() async throws {
        let server = ServerWithoutTLS()
        var options = server.options
        options.connectTimeout = .milliseconds(2000)
        guard case .connectFailed(let reason)? = await error(of: options) else {
            Issue.record("no reason")
            return
        }
        let words = reason.split(separator: " ")
        #expect(reason.hasPrefix("no answer within ") && reason.hasSuffix(" ms from 127.0.0.1 port \(options.port)"))
        let left = try #require(words.count > 3 ? Int(words[3]) : nil)
        #expect(left <= 2000 - Int(ServerWithoutTLS.pauseMilliseconds) + 1)
        #expect(server.counts == .init(requestsForTLS: 1, startsWithoutTLS: 1))
    }

    @Test(arguments: ["require", "verify-ca"]) func `stricter modes never continue without TLS`(mode: String) async {
        let server = ServerWithoutTLS()
        var options = server.options
        options.sslMode = mode
        // A readable certificate file, although it does not certify this server.
        options.sslRootCertificate = "/etc/ssl/certs/ca-certificates.crt"
        guard case .connectFailed(let reason)? = await error(of: options) else {
            Issue.record("no reason")
            return
        }
        #expect(reason.contains("server does not support SSL"))
        #expect(server.counts == .init(requestsForTLS: 1, startsWithoutTLS: 0))
    }
}

/// A server on loopback that refuses TLS after a pause, and never answers a client that continues without.
private final class ServerWithoutTLS: Sendable {
    struct Counts: Equatable {
        var requestsForTLS = 0
        var startsWithoutTLS = 0
    }

    /// Pause before the server refuses TLS.
    static let pauseMilliseconds: Int32 = 100

    private let listener: Int32
    private let port: UInt16
    private let state = Mutex((counts: Counts(), clients: [Int32]()))

    init() {
        let listener = socket(AF_INET, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
        var length = socklen_t(MemoryLayout<sockaddr_in>.size)
        // A sockaddr_in begins with a sockaddr, and the length is its own.
        unsafe withUnsafeMutablePointer(to: &address) { pointer in
            unsafe pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                precondition(unsafe bind(listener, $0, length) == 0 && listen(listener, 16) == 0, "no listener")
                precondition(unsafe getsockname(listener, $0, &length) == 0, "no address")
            }
        }
        self.listener = listener
        port = UInt16(bigEndian: address.sin_port)
        // The thread ends with the listener.
        let begin = { @Sendable [weak self] in
            while true {
                let client = accept(listener, nil, nil)
                guard client >= 0, let self else { break }
                self.serve(client)
            }
            close(listener)
        }
        do throws(Thread.NoThread) { try Thread.start(begin) } catch { preconditionFailure("\(error)") }
    }

    deinit {
        // Wakes the thread that waits in accept.
        shutdown(listener, Int32(SHUT_RDWR))
        state.withLock { for client in $0.clients { close(client) } }
    }

    var options: ConnectionOptions {
        ConnectionOptions(host: "127.0.0.1", port: "\(port)", database: "items", user: "items")
    }

    var counts: Counts { state.withLock { $0.counts } }

    private func serve(_ client: Int32) {
        var packet = [UInt8](repeating: 0, count: 8)
        // The array outlives the call, and the count is its own.
        let count = unsafe recv(client, &packet, packet.count, Int32(MSG_WAITALL))
        // The request code of SSLRequest (PostgreSQL documentation §55.7).
        let asksForTLS = count == 8 && packet[4...] == [0x04, 0xD2, 0x16, 0x2F]
        state.withLock { state in
            state.clients.append(client)
            if asksForTLS { state.counts.requestsForTLS += 1 } else { state.counts.startsWithoutTLS += 1 }
        }
        guard asksForTLS else { return }
        // The client waits for the answer, so nothing arrives during the pause.
        var watch = pollfd(fd: client, events: Int16(POLLIN), revents: 0)
        // One entry, which outlives the call.
        _ = unsafe poll(&watch, 1, Self.pauseMilliseconds)
        _ = unsafe send(client, "N", 1, Int32(MSG_NOSIGNAL))
    }
}
