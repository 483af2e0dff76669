/// Why a statement has no rows to give.
public enum DatabaseError: Error, Equatable, Sendable {
    /// No connection is open and none could be opened lately: refused without waiting.
    case unavailable
    /// Every connection was busy for as long as a statement may wait.
    case waitTimedOut
    /// As many statements wait as may.
    case queueFull
    /// The process has no memory for its parameters or its result.
    case outOfMemory
    /// The connection broke before the answer. A write may or may not have happened.
    case connectionLost
    /// The statement's own deadline, or its request's, passed; the server was told to cancel it. A write may or may not
    /// have happened.
    case deadlineExceeded
    /// A write was committed, and the server may have stopped waiting for a synchronous standby: a failover may undo it.
    case unconfirmed
    /// The pool is closing.
    case closing
    /// PostgreSQL's own refusal.
    // Rare, and larger than all the rest: apart, an outcome is copied without a look at its type.
    indirect case server(ServerError)
    /// An answer of another shape than the statement's code expects: the schema is not the one this build knows.
    case unexpectedResult(String)
    /// The connection could not be opened; libpq's reason, without the connection string.
    case connectFailed(String)

    /// A server's error report (PostgreSQL documentation, §55.8).
    public struct ServerError: Equatable, Sendable {
        /// Five characters, PostgreSQL documentation appendix A.
        public let sqlState: String
        /// The primary message, which can quote values: for logs, never for clients.
        public let message: String
        public let constraint: String?
        /// The table and the column that it names, for instance of a value that must not be null.
        public var table: String?
        public var column: String?
        /// The columns or expressions of the unique or exclusion constraint that it names, as PostgreSQL writes an index:
        /// `id, lower(name)`. Nil of a table with row security, of which PostgreSQL tells nothing.
        public var keyColumns: String?
        /// The function of the server's source that reported it; says what a SQLSTATE of many uses means, in any language.
        var routine: String?
        /// What the server was at when it reported it.
        var origin = Origin.other

        /// The statement came with another number of parameters than it has: what is told as a breach of the protocol, and
        /// leaves the connection as it was.
        var isOfParameterCount: Bool { sqlState == "08P01" && routine == "exec_bind_message" }

        /// The columns in the detail of a violated constraint: `Key (id, name)=(1, a) already exists.` PostgreSQL translates
        /// what stands around them alone (`BuildIndexValueDescription` in genam.c).
        static func keyColumns(inDetail detail: String) -> String? {
            guard let start = detail.firstIndex(of: "("), let end = detail.firstRange(of: ")=(") else { return nil }
            let first = detail.index(after: start)
            return first <= end.lowerBound ? String(detail[first..<end.lowerBound]) : nil
        }
    }

    /// What the server was at when it reported an error.
    enum Origin: Equatable, Sendable {
        /// The text of the statement, into which the error points.
        case text
        /// A function that the statement calls, such as a trigger's.
        case function
        case other

        /// - Parameters:
        ///   - severity: in English. An error above ERROR ends the session, whatever it was at.
        ///   - position: the error's, in the statement's text. The server moves it to another field when a function ran the
        ///     text that it points into.
        ///   - context: of the error, the innermost place first. An error of a statement with parameters may come with their
        ///     values as its context (`log_parameter_max_length_on_error`), and the words before them may be in any language.
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

    /// A bounded set of names for metrics: SQLSTATE classes by what an operator does about them.
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
        // Sessions that were in a transaction for too long are ended.
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

    /// Whether the connection that reported it serves nobody any more. A read-only server still serves reads: what becomes
    /// of its connections is `Pool.retireGeneration`'s to decide.
    var retiresConnection: Bool {
        if isOfFunction { return false }
        switch errorClass {
        case .connection, .shutdown: return true
        default: return false
        }
    }
}

extension DatabaseError.ServerError {
    /// A report as a simulated server makes it.
    package init(sqlState: String, routine: String?) {
        self.init(sqlState: sqlState, message: "simulated", constraint: nil)
        self.routine = routine
    }
}

extension DatabaseError {
    /// Raised by a function that the statement calls, such as a trigger's: it says nothing of the connection or its server.
    public var isOfFunction: Bool {
        if case .server(let error) = self { error.origin == .function } else { false }
    }

    /// The server takes no writes.
    var isReadOnlyServer: Bool { errorClass == .readOnly && !isOfFunction }

    /// A prepared statement is gone, is there already, or has rows of another shape than when it was prepared.
    var isStalePlan: Bool {
        // A function's own prepared statements are the function's.
        guard case .server(let error) = self, !isOfFunction else { return false }
        switch error.sqlState {
        case "26000", "42P05": return true
        // A SQLSTATE of many uses.
        case "0A000": return error.routine == "RevalidateCachedQuery"
        default: return false
        }
    }

    /// A table, a column or a schema that the statement names is not there: of one that was prepared, it is not there any
    /// more. What a trigger or a default misses is none of these.
    var isMissingObject: Bool {
        guard case .server(let error) = self, error.origin == .text else { return false }
        return ["3F000", "42703", "42P01"].contains(error.sqlState)
    }

    /// A lock was not to be had within the `lock_timeout`.
    public var isLockTimeout: Bool {
        guard case .server(let error) = self, !isOfFunction else { return false }
        return error.sqlState == "55P03"
    }

    /// The server stopped a statement: because it was asked to, or because of its own limit.
    var isCancellation: Bool {
        // A function may raise the SQLSTATE, and may be what is stopped.
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
