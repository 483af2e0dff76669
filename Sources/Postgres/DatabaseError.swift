/// Why a statement returned no rows.
public enum DatabaseError: Error, Equatable, Sendable {
    /// No connection is open and recent attempts failed: refused without waiting.
    case unavailable
    /// Every connection was busy for the whole wait limit.
    case waitTimedOut
    /// The queue of waiting statements is full.
    case queueFull
    /// The memory budget has no room for its parameters or its result.
    case outOfMemory
    /// The connection broke before the answer. A write may have been committed.
    case connectionLost
    /// The deadline of the statement or of its request passed, and a cancel request was sent. A write may have been
    /// committed.
    case deadlineExceeded
    /// A write was committed, but the server may have stopped waiting for a synchronous standby: a failover may lose
    /// it.
    case unconfirmed
    /// The pool is closing.
    case closing
    /// An error reported by PostgreSQL.
    // Indirect, because it is rare and larger than the other cases: copying an outcome stays cheap.
    indirect case server(ServerError)
    /// The answer's shape is not what the statement's code expects: the schema does not match this build.
    case unexpectedResult(String)
    /// The connection could not be opened. libpq's reason, without the connection string.
    case connectFailed(String)

    /// A server's error report (PostgreSQL documentation, §55.8).
    public struct ServerError: Equatable, Sendable {
        /// Five characters; PostgreSQL documentation, appendix A.
        public let sqlState: String
        /// The primary message, which may quote values: for logs, never for clients.
        public let message: String
        public let constraint: String?
        /// The table and the column concerned, for instance by a not-null violation.
        public var table: String?
        public var column: String?
        /// The columns or expressions of the violated unique or exclusion constraint, as in an index definition: `id,
        /// lower(name)`. Nil for a table with row security, for which PostgreSQL does not report them.
        public var keyColumns: String?
        /// The server's source function that reported the error. Distinguishes uses of one SQLSTATE independently of
        /// the language.
        var routine: String?
        /// What the server was executing when it reported the error.
        var origin = Origin.other

        /// The statement was sent with a wrong number of parameters. Reported as a protocol violation, but the
        /// connection stays usable.
        var isOfParameterCount: Bool { sqlState == "08P01" && routine == "exec_bind_message" }

        /// The columns in the detail of a constraint violation: `Key (id, name)=(1, a) already exists.` PostgreSQL
        /// translates only the text around them (`BuildIndexValueDescription` in genam.c).
        static func keyColumns(inDetail detail: String) -> String? {
            guard let start = detail.firstIndex(of: "("), let end = detail.firstRange(of: ")=(") else { return nil }
            let first = detail.index(after: start)
            return first <= end.lowerBound ? String(detail[first..<end.lowerBound]) : nil
        }
    }

    /// What the server was executing when it reported an error.
    enum Origin: Equatable, Sendable {
        /// The statement's own text, to which the error's position refers.
        case text
        /// A function that the statement calls, such as a trigger's.
        case function
        case other

        /// - Parameters:
        ///   - severity: in English. Above ERROR the session ends, whatever was executing.
        ///   - position: the error's position in the statement's text. Missing if the error is in a text that a
        ///     function ran: the server then uses another field.
        ///   - context: the error's context, innermost first. For a statement with parameters it may be their values
        ///     (`log_parameter_max_length_on_error`), introduced by words in any language.
        init(severity: String?, position: String?, context: String?) {
            if position != nil {
                self = .text
            } else if severity == "ERROR", let innermost = context?.split(separator: "\n").first,
                !innermost.contains("$1 = ")
            {
                self = .function
            } else {
                self = .other
            }
        }
    }

    /// A bounded set of labels for metrics: SQLSTATE classes, grouped by what an operator does about them.
    public enum Class: String, CaseIterable, Sendable {
        case connection, timeout, pool, authentication, constraint, data, conflict
        case readOnly = "read_only"
        case resources, shutdown, cancelled, statement, result, other
    }

    public var errorClass: Class {
        switch self {
        case .unavailable, .connectionLost, .connectFailed, .closing: .connection
        case .waitTimedOut, .queueFull, .outOfMemory: .pool
        case .deadlineExceeded, .unconfirmed: .timeout
        case .unexpectedResult: .result
        case .server(let error): error.isOfParameterCount ? .statement : Self.errorClass(ofState: error.sqlState)
        }
    }

    private static func errorClass(ofState state: String) -> Class {
        switch state {
        case "25006": .readOnly
        case "57014": .cancelled
        // Sessions ended because a transaction took too long.
        case "25P03", "25P04": .shutdown
        case "55006", "55P03": .conflict
        default:
            switch state.prefix(2) {
            case "08": .connection
            case "22": .data
            case "23": .constraint
            case "28": .authentication
            case "40", "72": .conflict
            case "0A", "26", "3F", "42": .statement
            case "53", "54": .resources
            case "57", "58": .shutdown
            default: .other
            }
        }
    }

    /// Whether the connection is unusable after this error. A read-only server still serves reads:
    /// `PoolState.retireGeneration` decides about its connections.
    var retiresConnection: Bool {
        if isOfFunction { return false }
        switch errorClass {
        case .connection, .shutdown: return true
        default: return false
        }
    }
}

extension DatabaseError.ServerError {
    /// An error as a simulated server reports it.
    package init(sqlState: String, routine: String?) {
        self.init(sqlState: sqlState, message: "simulated", constraint: nil)
        self.routine = routine
    }
}

extension DatabaseError {
    /// Raised by a function that the statement calls, such as a trigger's: it says nothing about the connection or its
    /// server.
    public var isOfFunction: Bool {
        if case .server(let error) = self { error.origin == .function } else { false }
    }

    /// The server accepts no writes.
    var isReadOnlyServer: Bool { errorClass == .readOnly && !isOfFunction }

    /// A prepared statement is missing, exists already, or its result type changed since it was prepared.
    var isStalePlan: Bool {
        // Statements that a function prepared are its own.
        guard case .server(let error) = self, !isOfFunction else { return false }
        switch error.sqlState {
        case "26000", "42P05": return true
        // A SQLSTATE with many uses.
        case "0A000": return error.routine == "RevalidateCachedQuery"
        default: return false
        }
    }

    /// A table, column or schema of the statement does not exist; for a prepared statement, not any more. Excludes
    /// objects missed by a trigger or a default.
    var isMissingObject: Bool {
        guard case .server(let error) = self, error.origin == .text else { return false }
        return ["3F000", "42703", "42P01"].contains(error.sqlState)
    }

    /// A lock could not be acquired within `lock_timeout`.
    public var isLockTimeout: Bool {
        guard case .server(let error) = self, !isOfFunction else { return false }
        return error.sqlState == "55P03"
    }

    /// The server stopped a statement, because of a cancel request or because of its own limit.
    var isCancellation: Bool {
        // A function may raise this SQLSTATE itself, and may also be what is stopped.
        guard case .server(let error) = self, errorClass == .cancelled else { return false }
        return error.routine == nil || error.routine == "ProcessInterrupts"
    }
}

extension DatabaseError: CustomStringConvertible {
    /// For logs: one line, without parameters.
    public var description: String {
        switch self {
        case .unavailable: "the database cannot be reached"
        case .waitTimedOut: "no database connection became free in time"
        case .outOfMemory: "the process has no memory for the statement or its result"
        case .queueFull: "too many statements wait for a database connection"
        case .connectionLost: "the connection to the database was lost"
        case .deadlineExceeded: "the statement took too long"
        case .unconfirmed: "the write was committed, but perhaps not by a synchronous standby"
        case .closing: "the pool is closing"
        case .server(let error): "\(error.sqlState) \(error.message)"
        case .unexpectedResult(let what): "unexpected result: \(what)"
        case .connectFailed(let reason): reason
        }
    }
}
