/// The variables that a service manager sets for a process: sd_listen_fds(3), sd_notify(3), sd_watchdog_enabled(3).
struct ServiceVariables: Sendable, Equatable {
    /// The longest watchdog time that makes sense: a day.
    private static let watchdogHourLimit: UInt64 = 24

    /// Longer than the path of any socket: `sun_path` of sockaddr_un(7), including its NUL.
    static let socketPathLimit = 108

    /// Whether a socket to listen on was passed to this process.
    var passesSocket = false
    /// The path of the notification socket; with a leading `@`, a name in the abstract namespace.
    var notifySocket: String?
    /// The interval within which the manager expects a sign of life.
    var watchdogLimit: Duration?

    /// - Parameters:
    ///   - variable: returns the value of a variable; an empty one counts as unset.
    ///   - process: this process, as in `LISTEN_PID`.
    /// - Returns: the valid values, and an error for each invalid one, which counts as unset.
    static func examine(
        process: Int32, _ variable: (String) -> String?
    ) -> (variables: ServiceVariables, errors: [ConfigurationError]) {
        var found = ServiceVariables()
        var errors: [ConfigurationError] = []
        /// The number in a variable; nil when it is unset or invalid, which is noted.
        func number(_ name: String, _ range: ClosedRange<UInt64>) -> UInt64? {
            guard let text = variable(name), !text.isEmpty else { return nil }
            if let number = plainDecimal(text[...]).map(UInt64.init), range.contains(number) { return number }
            errors.append(
                ConfigurationError(
                    variable: name, problem: "must be a whole number from \(range.lowerBound) to \(range.upperBound)"))
            return nil
        }
        /// Whether a variable names this process, or is unset.
        func isForUs(_ name: String) -> Bool {
            let errorsBefore = errors.count
            let named = number(name, 1...UInt64(Int32.max))
            return errors.count == errorsBefore && (named == nil || named == UInt64(process))
        }
        // With two sockets, clients of the second would never be accepted.
        if isForUs("LISTEN_PID"), let count = number("LISTEN_FDS", 0...1) { found.passesSocket = count == 1 }
        if isForUs("WATCHDOG_PID"), let limit = number("WATCHDOG_USEC", 1...watchdogHourLimit * 3_600_000_000) {
            found.watchdogLimit = .microseconds(limit)
        }
        if let path = variable("NOTIFY_SOCKET"), !path.isEmpty {
            if path.utf8.count > 1, path.utf8.count < socketPathLimit, path.hasPrefix("/") || path.hasPrefix("@") {
                found.notifySocket = path
            } else {
                errors.append(
                    ConfigurationError(
                        variable: "NOTIFY_SOCKET",
                        problem: "must be an absolute path, or a name after @, of less than \(socketPathLimit) bytes"))
            }
        }
        return (found, errors)
    }
}
