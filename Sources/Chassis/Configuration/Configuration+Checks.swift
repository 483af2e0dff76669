import Platform
import Reactor
import Vial

// Rules for several variables, and warnings about accepted values that are probably mistakes.

extension Configuration {
    /// The load balancer's idle timeout. If the server closes a connection earlier, the load balancer may be sending
    /// its next request.
    private static let balancerIdleLimit = Duration.seconds(60)
    private static let mebibyte = 1_048_576

    /// Notes every error in combinations of valid values.
    static func check(_ http: HTTP, _ database: Database, _ reading: inout Reading) {
        checkPorts(database, &reading)
        checkCertificates(database, &reading)
        checkTimeouts(http, database, &reading)
        if http.port != 0 && http.adminPort == http.port && reading.areGood(["PORT", "ADMIN_PORT"]) {
            reading.note(ConfigurationError(variables: ["PORT", "ADMIN_PORT"], problem: "must differ"))
        }
        if database.poolMinimum > database.poolMaximum && reading.areGood(["DB_POOL_MIN", "DB_POOL_MAX"]) {
            reading.note(
                ConfigurationError(
                    variables: ["DB_POOL_MIN", "DB_POOL_MAX"],
                    problem: "must be in ascending order: \(database.poolMinimum) is above \(database.poolMaximum)"))
        }
    }

    /// Warnings about accepted values.
    static func warnings(of http: HTTP, _ password: Password?, _ reading: Reading) -> [String] {
        var warnings: [String] = []
        if http.keepAliveTimeout <= balancerIdleLimit {
            warnings.append("KEEPALIVE_TIMEOUT_MS should be above the load balancer's idle timeout of 60000 ms")
        }
        if let password, password.source != "DB_PASSWORD", reading.values.textIfSet("DB_PASSWORD") != nil {
            warnings.append("DB_PASSWORD is not used, because \(password.source) holds the password")
        }
        return warnings
    }

    /// The rest of the cgroup's limit is for memory that is not counted: the program, its threads, libraries and log
    /// lines.
    static func findMemory(
        limit: Int?, _ http: HTTP, _ reading: inout Reading, _ warnings: inout [String]
    ) -> Int {
        let most = limit.map { max(MemoryBudget.smallestByteCount, $0 / 4 * 3) / mebibyte } ?? .max
        let asked = reading.values.integerIfSet("MEMORY_MIB")
        let mebibytes = min(asked ?? standardMemoryMebibytes, most)
        if asked == nil && reading.areGood(["MEMORY_MIB"]) {
            reading.show("MEMORY_MIB", as: "\(mebibytes) (default)")
        }
        if let asked, asked > most {
            reading.show("MEMORY_MIB", as: "\(mebibytes) (\(asked) is above three quarters of the cgroup's limit)")
            warnings.append(
                "MEMORY_MIB is \(mebibytes) instead of \(asked): three quarters of the cgroup's memory limit")
        }
        if let limit, limit / 4 * 3 < MemoryBudget.smallestByteCount {
            warnings.append(
                "The cgroup's memory limit of \(limit / mebibyte) MiB is too small for the \(mebibytes) MiB of MEMORY_MIB"
            )
        }
        let bytes = mebibytes * mebibyte
        let bodyLimit = MemoryBudget(limit: bytes).share(of: .body)
        if http.maxBodyBytes > bodyLimit {
            warnings.append(
                "MAX_BODY_BYTES is more than MEMORY_MIB leaves for bodies: those above \(bodyLimit) bytes are answered 503"
            )
        }
        return bytes
    }

    /// With a small budget fewer connections are allowed than configured, so that their fixed memory leaves room for
    /// requests.
    static func lowerConnections(
        of http: inout HTTP, to memory: Int, _ reading: inout Reading, _ warnings: inout [String]
    ) {
        let most = ServerOptions.mostConnections(in: MemoryBudget(limit: memory))
        let asked = http.maxConnections
        guard asked > most, reading.areGood(["MAX_CONNECTIONS", "MEMORY_MIB"]) else { return }
        http.maxConnections = most
        let mebibytes = memory / mebibyte
        reading.show("MAX_CONNECTIONS", as: "\(most) (\(asked) is more than MEMORY_MIB of \(mebibytes) has room for)")
        warnings.append(
            "MAX_CONNECTIONS is lowered from \(asked) to \(most): MEMORY_MIB of \(mebibytes) has room for no more")
    }

    /// Checks that no path has two answers.
    ///
    /// - Parameter serves: whether to create the service's own routes for the comparison. That runs code of the
    ///   service, which commands without routes must not do.
    static func checkHealthPaths(_ service: Service, serves: Bool, _ reading: inout Reading) {
        let paths = reading.values.paths("HEALTH_PATHS")
        guard reading.areGood(["HEALTH_PATHS"]), !paths.isEmpty else { return }
        let own = serves ? service.patterns(reading.values.of(service.variables)) : []
        let patterns = StandardRoutes.patterns + own
        var seen: Set<String> = []
        for path in paths {
            if !seen.insert(path).inserted {
                reading.note(ConfigurationError(variable: "HEALTH_PATHS", problem: "names \(path) twice"))
            } else if isServed(path, by: patterns) {
                reading.note(
                    ConfigurationError(
                        variable: "HEALTH_PATHS", problem: "names \(path), which is always served"))
            }
        }
    }

    /// Whether a request for `path` already has an answer.
    private static func isServed(_ path: String, by patterns: [String]) -> Bool {
        let segments = path.split(separator: "/")
        return patterns.contains { pattern in
            let others = pattern.split(separator: "/")
            return others.count == segments.count
                && zip(others, segments).allSatisfy { $0.hasPrefix("{") || $0 == $1 }
        }
    }

    /// As in libpq: one port for all hosts, or one per host.
    private static func checkPorts(_ database: Database, _ reading: inout Reading) {
        guard let host = database.host, reading.areGood(["DB_HOST", "DB_PORT"]) else { return }
        let hosts = host.split(separator: ",", omittingEmptySubsequences: false).count
        let ports = database.port.split(separator: ",").count
        if ports != 1 && ports != hosts {
            reading.note(
                ConfigurationError(
                    variables: ["DB_HOST", "DB_PORT"],
                    problem: "must have the same length: DB_PORT has \(ports) entries and DB_HOST has \(hosts)"))
        }
    }

    /// A certificate file is read only when a variable names it.
    private static func checkCertificates(_ database: Database, _ reading: inout Reading) {
        guard [.verifyCA, .verifyFull].contains(database.sslMode), database.sslRootCertificate == nil,
            reading.areGood(["DB_SSLMODE", "DB_SSLROOTCERT"])
        else { return }
        reading.note(
            ConfigurationError(
                variables: ["DB_SSLMODE", "DB_SSLROOTCERT"],
                problem: "must be given together: \(database.sslMode.rawValue) verifies against a certificate file"))
    }

    /// A request must outlast the wait for a connection and the statement after it; otherwise clients get 504 where 503
    /// is correct.
    private static func checkTimeouts(_ http: HTTP, _ database: Database, _ reading: inout Reading) {
        let names = ["DB_POOL_TIMEOUT_MS", "DB_STATEMENT_TIMEOUT_MS", "REQUEST_TIMEOUT_MS"]
        guard reading.areGood(names) else { return }
        let sum = database.poolTimeout + database.statementTimeout
        guard sum >= http.requestTimeout else { return }
        reading.note(
            ConfigurationError(
                variables: names,
                problem:
                    "must increase: the sum of the first two, \(sum.milliseconds), must be below the third, \(http.requestTimeout.milliseconds)"
            ))
    }
}
