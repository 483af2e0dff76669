import CPostgres
import Glibc
import Platform
import Reactor

/// A connection used by one blocking thread: for work before a connection joins a pool, and for one-off commands.
///
/// Every wait has a limit: a server that is frozen, or vanished silently, costs the thread at most its time limit. An
/// interruption ends each wait at once and cancels the running command at the server: what it did in a transaction is
/// rolled back when the server receives the request.
public final class Session {
    /// Added to the server's statement timeout to get the time limit for an answer.
    private static let replyGrace = Duration.seconds(1)
    /// How long an interrupted command may take to end, and the interval between cancel requests meanwhile.
    private static let cancelLimit = Duration.seconds(1)
    private static let cancelPauseMilliseconds: Int32 = 100

    let handle: Handle
    private let replyLimit: Duration
    private let interruption: Interruption?

    /// Connects to the first server that accepts; blocks for at most the connect timeout per host, plus name
    /// resolution.
    ///
    /// - Throws: `DatabaseError.server` with the error of the last server tried, or `.connectFailed`.
    public convenience init(_ options: ConnectionOptions) throws(DatabaseError) {
        try self.init(options, in: TargetOrder())
    }

    /// - Parameters:
    ///   - order: which server to try first; updated with the outcome.
    ///   - interruption: ends this session's waits.
    convenience init(
        _ options: ConnectionOptions, in order: TargetOrder, unless interruption: Interruption? = nil
    ) throws(DatabaseError) {
        var reason = DatabaseError.connectFailed("DB_HOST names no server")
        for target in order.sorted(options.targets) {
            do throws(DatabaseError) {
                try self.init(options, overTLSIfOffered: target, unless: interruption)
                order.prefer(target)
                return
            } catch {
                reason = error
                order.defer(target)
            }
        }
        throw reason
    }

    /// libpq's `prefer` silently continues without TLS after any TLS failure. Here it continues without TLS only if the
    /// server reports that it does not support TLS.
    private convenience init(
        _ options: ConnectionOptions, overTLSIfOffered target: ConnectionOptions.Target,
        unless interruption: Interruption?
    ) throws(DatabaseError) {
        var options = options
        let deadline = Deadline(options.connectTimeout)
        let isPreferred = options.sslMode == "prefer"
        if isPreferred { options.sslMode = "require" }
        do throws(DatabaseError) {
            try self.init(options, to: target, unless: interruption)
        } catch {
            guard isPreferred, case .connectFailed(let reason) = error, reason.contains(Self.refusalOfTLS) else {
                throw error
            }
            options.sslMode = "disable"
            options.connectTimeout = deadline.end - .now
            try self.init(options, to: target, unless: interruption)
        }
    }

    /// libpq's error message when TLS is required and the server does not offer it. If libpq changed the text,
    /// connecting would fail instead of continuing without TLS.
    private static let refusalOfTLS = "server does not support SSL, but SSL was required"

    private init(
        _ options: ConnectionOptions, to target: ConnectionOptions.Target, unless interruption: Interruption?
    ) throws(DatabaseError) {
        if interruption?.hasBegun == true { throw .closing }
        self.interruption = interruption
        replyLimit = options.statementTimeout + Self.replyGrace
        let pairs = options.keywords(for: target)
        handle = try unsafe Self.withCStrings(pairs.map(\.0), pairs.map(\.1)) { keywords, values in
            // Both arrays end with NULL; libpq copies every string. 0: `dbname` is a name, never a connection string.
            unsafe PQconnectStartParams(keywords, values, 0).map { unsafe Handle(owning: $0) }
        }
        // Makes a server's error include its SQLSTATE, which libpq otherwise omits while connecting.
        _ = unsafe PQsetErrorVerbosity(handle.pointer, PQERRORS_VERBOSE)
        try finishConnecting(within: options.connectTimeout)
        _ = unsafe PQsetErrorVerbosity(handle.pointer, PQERRORS_DEFAULT)
        // Such a database stores arbitrary bytes. With a UTF-8 client encoding it would refuse to return invalid ones,
        // and with them every query whose result contains them.
        if serverEncoding == "SQL_ASCII" { try execute("SET client_encoding = 'SQL_ASCII'") }
    }

    /// The database's encoding by PostgreSQL's name: `UTF8`. Nil if the server did not report it.
    public var serverEncoding: String? {
        // The text belongs to the connection and is copied at once.
        unsafe PQparameterStatus(handle.pointer, "server_encoding").map { unsafe String(cString: $0) }
    }

    private func finishConnecting(within limit: Duration) throws(DatabaseError) {
        let deadline = Deadline(limit)
        guard unsafe PQstatus(handle.pointer) != CONNECTION_BAD else { throw handle.connectError }
        // The initial state, as if it had asked for writing (PostgreSQL documentation §34.1, PQconnectPoll).
        var state = PGRES_POLLING_WRITING
        while state != PGRES_POLLING_OK {
            guard state == PGRES_POLLING_READING || state == PGRES_POLLING_WRITING else { throw handle.connectError }
            let events = state == PGRES_POLLING_READING ? POLLIN : POLLOUT
            switch wait(for: events, until: deadline) {
            case .ready: break
            case .timedOut: throw .connectFailed("no answer within \(limit.milliseconds) ms from \(serverName)")
            case .interrupted: throw .closing
            }
            state = unsafe PQconnectPoll(handle.pointer)
        }
    }

    /// Runs one or more statements without parameters; several form one transaction.
    ///
    /// - Parameter limit: time limit for the answer; by default the statement timeout plus one second.
    /// - Returns: the last statement's rows, every value as text.
    /// - Throws: `DatabaseError.server`; `.connectionLost` if no answer came, `.closing` if interrupted: the session is
    ///   unusable then.
    ///   for: the session is of no use then.
    @discardableResult
    public func execute(_ sql: String, within limit: Duration? = nil) throws(DatabaseError) -> [[String?]] {
        if interruption?.hasBegun == true { throw .closing }
        // libpq copies the text.
        let isSent = unsafe PQsendQuery(handle.pointer, sql) == 1
        let result = try unsafe lastResult(isSent: isSent, within: limit)
        defer { unsafe PQclear(result) }
        guard unsafe PQresultStatus(result) == PGRES_TUPLES_OK else { return [] }
        let columns = unsafe PQnfields(result)
        return unsafe (0..<PQntuples(result)).map { row in
            (0..<columns).map { column in
                // Text that belongs to the result is copied before it is cleared.
                unsafe PQgetisnull(result, row, column) == 1 ? nil : String(cString: PQgetvalue(result, row, column))
            }
        }
    }

    /// Sets parameters of this session in one round trip, unless there is a pooler, which shares the server's sessions
    /// with other clients. A pooler is recognised by the process id: it accepted the login itself, under another id
    /// than that of the server's process.
    ///
    /// - Returns: whether the session is this client's alone. If false, nothing was set.
    package func set(_ settings: [(name: String, value: String)]) throws(DatabaseError) -> Bool {
        let calls = settings.map { "set_config(\(Self.literal($0.name)), \(Self.literal($0.value)), false)" }
            .joined(separator: ", ")
        let process = unsafe PQbackendPID(handle.pointer)
        return try !execute("SELECT \(calls) WHERE pg_backend_pid() = \(process)").isEmpty
    }

    /// A text as an SQL literal, independent of `standard_conforming_strings` (PostgreSQL documentation §4.1.2).
    private static func literal(_ text: String) -> String {
        var (literal, hasBackslash) = ("'", false)
        // By scalars, not characters: a combining mark would hide the quote before it.
        for scalar in text.unicodeScalars {
            if scalar == "'" || scalar == "\\" { literal.unicodeScalars.append(scalar) }
            if scalar == "\\" { hasBackslash = true }
            literal.unicodeScalars.append(scalar)
        }
        return (hasBackslash ? "E" : "") + literal + "'"
    }

    /// Checks that a pooler supports prepared statements across its server connections, as pgbouncer does from 1.21 on
    /// by preparing them under its own names. A pooler that passes names through unchanged would later look for them on
    /// a connection where they do not exist.
    ///
    /// - Throws: `DatabaseError.server` with a hint.
    func requirePreparedStatementsOfPooler() throws(DatabaseError) {
        // A single transaction stays on one connection. It must leave nothing behind there: a prepared statement would
        // survive a rollback.
        let check = """
            DO $$ BEGIN
                IF EXISTS (SELECT FROM pg_prepared_statements WHERE name = '\(Self.probe.name)') THEN
                    DEALLOCATE \(Self.probe.name);
                    RAISE EXCEPTION 'a pooler that does not carry prepared statements is before the server: DB_PREPARED=0 serves'
                        USING ERRCODE = '26000';
                END IF;
            END $$
            """
        try prepare([Self.probe], then: check)
    }

    private static let probe = Statement("pool_probe", "SELECT 1")

    /// Prepares statements under their names, all in one round trip.
    ///
    /// - Parameter command: runs after them in the same transaction.
    /// - Throws: `DatabaseError.server` with the first error; the session is unusable then.
    func prepare(_ statements: [Statement], then command: String? = nil) throws(DatabaseError) {
        guard unsafe PQenterPipelineMode(handle.pointer) == 1 else { throw .connectionLost }
        for statement in statements {
            // libpq copies both texts; the server infers the parameters' types.
            guard unsafe PQsendPrepare(handle.pointer, statement.name, statement.sql, 0, nil) == 1 else {
                throw .connectionLost
            }
        }
        if let command {
            guard unsafe PQsendQueryParams(handle.pointer, command, 0, nil, nil, nil, nil, 0) == 1 else {
                throw .connectionLost
            }
        }
        guard unsafe PQpipelineSync(handle.pointer) == 1 else { throw .connectionLost }
        let deadline = Deadline(replyLimit)
        for _ in 0..<(statements.count + (command == nil ? 0 : 1)) { try finishCommand(by: deadline) }
        guard let end = try unsafe nextResult(by: deadline) else { throw .connectionLost }
        defer { unsafe PQclear(end) }
        guard unsafe PQresultStatus(end) == PGRES_PIPELINE_SYNC, unsafe PQexitPipelineMode(handle.pointer) == 1 else {
            throw .connectionLost
        }
    }

    private func finishCommand(by deadline: Deadline) throws(DatabaseError) {
        guard let result = try unsafe nextResult(by: deadline) else { throw .connectionLost }
        defer { unsafe PQclear(result) }
        guard unsafe PQresultStatus(result) == PGRES_COMMAND_OK else { throw unsafe Handle.error(in: result) }
        // libpq reports the end of this statement's results with nil.
        guard try unsafe nextResult(by: deadline) == nil else { throw .connectionLost }
    }

    /// The next result, which the caller must clear; nil at the end of a command's results.
    private func nextResult(by deadline: Deadline) throws(DatabaseError) -> OpaquePointer? {
        while unsafe PQisBusy(handle.pointer) == 1 {
            switch wait(for: POLLIN, until: deadline) {
            case .ready: break
            case .timedOut: throw .connectionLost
            case .interrupted:
                cancel()
                throw .closing
            }
            guard unsafe PQconsumeInput(handle.pointer) == 1 else { throw .connectionLost }
        }
        return unsafe PQgetResult(handle.pointer)
    }

    /// Cancels the running command at the server, which would otherwise run to its end, holding its locks, before
    /// noticing that the client is gone.
    private func cancel() {
        let deadline = Deadline(Self.cancelLimit)
        while unsafe PQisBusy(handle.pointer) == 1 && deadline.remainingMilliseconds > 0 {
            CancelRequest(handle)?.send()
            // A request that arrives before its command has no effect, so another has to follow.
            let pause = min(Self.cancelPauseMilliseconds, deadline.remainingMilliseconds)
            let outcome = Interruption.wait(
                for: POLLIN, on: unsafe PQsocket(handle.pointer), unless: nil, remaining: { pause })
            if outcome == .ready, unsafe PQconsumeInput(handle.pointer) != 1 { return }
        }
    }

    /// The result of the last command, which the caller must clear; never an error result.
    private func lastResult(isSent: Bool, within limit: Duration?) throws(DatabaseError) -> OpaquePointer {
        guard isSent else { throw .connectionLost }
        let deadline = Deadline(limit ?? replyLimit)
        var last: OpaquePointer?
        do throws(DatabaseError) {
            // Each result is cleared or returned, once; a failed command is the last one.
            while let result = try unsafe nextResult(by: deadline) {
                unsafe PQclear(last)
                unsafe last = unsafe result
            }
        } catch {
            // Before closing a connection, the server may have sent the reason.
            let said = unsafe last.map { unsafe Handle.error(in: $0) }
            unsafe PQclear(last)
            if case .server? = said { throw said ?? error }
            throw error
        }
        guard let last = unsafe last else { throw .connectionLost }
        switch unsafe PQresultStatus(last) {
        case PGRES_COMMAND_OK, PGRES_TUPLES_OK: return unsafe last
        default:
            let error = unsafe Handle.error(in: last)
            unsafe PQclear(last)
            throw error
        }
    }

    /// A point in time on the monotonic clock.
    private struct Deadline {
        let end: Instant

        init(_ limit: Duration) {
            end = .now + limit
        }

        /// For poll(2): rounded up, so that it does not spin through the last millisecond.
        var remainingMilliseconds: Int32 {
            let rest = end.nanoseconds(since: .now)
            return Int32(clamping: rest / 1_000_000 + (rest % 1_000_000 > 0 ? 1 : 0))
        }
    }

    private func wait(for events: Int32, until deadline: Deadline) -> Interruption.Outcome {
        // libpq may have switched to another socket, for the next address of a name.
        let socket = unsafe PQsocket(handle.pointer)
        return Interruption.wait(for: events, on: socket, unless: interruption) { deadline.remainingMilliseconds }
    }

    /// The server's address, for error messages.
    private var serverName: String {
        // The texts belong to the connection and are copied at once.
        let text = { (value: UnsafeMutablePointer<CChar>?) in unsafe value.map { unsafe String(cString: $0) } ?? "" }
        return unsafe "\(text(PQhost(handle.pointer))) port \(text(PQport(handle.pointer)))"
    }

    private static func withCStrings<Result>(
        _ first: [String], _ second: [String],
        _ body: (UnsafePointer<UnsafePointer<CChar>?>, UnsafePointer<UnsafePointer<CChar>?>) -> Result?
    ) throws(DatabaseError) -> Result {
        let strings = (first + second).map { Array($0.utf8CString) }
        let flat = strings.flatMap { $0 }
        var offsets: [Int] = []
        var offset = 0
        for string in strings {
            offsets.append(offset)
            offset += string.count
        }
        let value = unsafe flat.withUnsafeBufferPointer { bytes -> Result? in
            // Each pointer is inside `bytes`, which outlives the call, and each string ends with NUL.
            let pointers = unsafe offsets.map { unsafe bytes.baseAddress! + $0 }
            let keywords = unsafe pointers.prefix(first.count).map(Optional.some) + [nil]
            let values = unsafe pointers.dropFirst(first.count).map(Optional.some) + [nil]
            return unsafe body(keywords, values)
        }
        guard let value else { throw .connectFailed("out of memory") }
        return value
    }
}
