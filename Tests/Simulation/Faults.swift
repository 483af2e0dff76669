import Postgres

/// The errors of the simulated server, as `Postgres.Handle` would make them from libpq's results.
enum Faults {
    static let crowded = server("53300")
    private static let all = ServerFault.allCases.map(make)

    static func error(_ fault: ServerFault) -> DatabaseError { all[fault.rawValue] }

    /// Whether the error implies that the statement had no effect.
    static func isCertainlyUndone(_ error: DatabaseError) -> Bool {
        switch error {
        case .unavailable, .waitTimedOut, .queueFull, .closing, .outOfMemory: true
        case .server(let error): error.sqlState != "57P01"
        case .connectionLost, .deadlineExceeded, .unconfirmed, .unexpectedResult, .connectFailed: false
        }
    }

    private static func make(_ fault: ServerFault) -> DatabaseError {
        switch fault {
        case .constraint: server("23514")
        case .conflict: server("40001")
        case .cancelled: server("57014", routine: "ProcessInterrupts")
        case .readOnly: server("25006")
        case .stalePlan: server("0A000", routine: "RevalidateCachedQuery")
        case .shutdown: server("57P01")
        case .blockFailed: server("25P02")
        }
    }

    private static func server(_ state: String, routine: String? = nil) -> DatabaseError {
        .server(DatabaseError.ServerError(sqlState: state, routine: routine))
    }
}
