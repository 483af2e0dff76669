public import Configuration
import Reactor
import Vial

extension Configuration {
    /// The balancer's idle timeout: a connection that we close before it does may meet its next request.
    private static let balancerIdleMilliseconds = 60_000
    private static let mebibyte = 1_048_576
    private static let standardMemoryMebibytes = 48

    /// Reads the environment of this process; the secrets among the variables stay out of what the reader reports.
    public static var processEnvironment: ConfigReader {
        let secrets = Set(variables.filter(\.isSecret).map(\.name))
        return ConfigReader(provider: EnvironmentVariablesProvider(secretsSpecifier: .specific(secrets)))
    }

    /// The configuration in force. An empty value counts as unset.
    ///
    /// - Parameters:
    ///   - reader: its keys are the variables' names, its values texts.
    ///   - needsDatabase: whether it is an error that nothing says where the database is.
    ///   - secretsDirectory: where containers find their secrets.
    ///   - memoryLimit: the bytes that the process may have; nil when nothing limits it.
    /// - Throws: every error there is, at once.
    public static func read(
        from reader: ConfigReader, needsDatabase: Bool = true, secretsDirectory: String = "/run/secrets",
        memoryLimit: Int? = MemoryLimit.ofThisProcess()
    ) throws(ConfigurationErrors) -> Configuration {
        let (configuration, errors) = examine(
            reader, needsDatabase: needsDatabase, secretsDirectory: secretsDirectory, memoryLimit: memoryLimit)
        guard errors.isEmpty else { throw ConfigurationErrors(errors: errors) }
        return configuration
    }

    /// As `read`, but gives the errors next to a configuration in which defaults stand for the bad values.
    public static func examine(
        _ reader: ConfigReader, needsDatabase: Bool = true, secretsDirectory: String = "/run/secrets",
        memoryLimit: Int? = MemoryLimit.ofThisProcess()
    ) -> (configuration: Configuration, errors: [ConfigurationError]) {
        var reading = Reading(variables, from: reader)
        let source = PasswordSource(
            file: reading.text("DB_PASSWORD_FILE"), credentialsDirectory: reading.text("CREDENTIALS_DIRECTORY"),
            secretsDirectory: secretsDirectory, variable: reading.secret("DB_PASSWORD"))
        let password = findPassword(source, &reading)
        var http = HTTP(&reading)
        let database = Database(&reading, password: password, from: source)
        // The secret may name it.
        if needsDatabase && database.host == nil && database.secretID == nil
            && reading.areGood(["DB_HOST", "DB_SECRET_ID"])
        {
            reading.note(ConfigurationError(variable: "DB_HOST", problem: "must be set"))
        }
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
                    problem: "must not fall: \(database.poolMinimum) is above \(database.poolMaximum)"))
        }
        checkHealthPaths(&reading)
        var warnings: [String] = []
        if http.keepAliveTimeoutMilliseconds <= balancerIdleMilliseconds {
            warnings.append("KEEPALIVE_TIMEOUT_MS should be above the load balancer's idle timeout of 60000 ms")
        }
        if let password, password.source != "DB_PASSWORD", reading.text("DB_PASSWORD") != nil {
            warnings.append("DB_PASSWORD is not used, because \(password.source) holds the password")
        }
        let memory = findMemory(limit: memoryLimit, http, &reading, &warnings)
        lowerConnections(of: &http, to: memory, &reading, &warnings)
        let configuration = Configuration(
            environment: reading.requiredText("ENVIRONMENT"),
            instanceID: reading.text("INSTANCE_ID"),
            http: http, health: Health(reading), database: database, memoryByteLimit: memory, aws: AWS(reading),
            logging: Logging(reading), drain: Drain(reading), warnings: warnings, lines: reading.lines)
        return (configuration, reading.sortedErrors)
    }

    /// What is left of the cgroup's limit is for all that is not counted: the program, its threads, libraries and lines.
    private static func findMemory(
        limit: Int?, _ http: HTTP, _ reading: inout Reading, _ warnings: inout [String]
    ) -> Int {
        let most = limit.map { max(MemoryBudget.smallestByteCount, $0 / 4 * 3) / mebibyte } ?? .max
        let asked = reading.integer("MEMORY_MIB")
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

    /// Of a small budget less is open than is allowed: what every connection takes leaves room for requests.
    private static func lowerConnections(
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

    /// A path has one answer.
    private static func checkHealthPaths(_ reading: inout Reading) {
        guard reading.areGood(["HEALTH_PATHS"]) else { return }
        var seen: Set<String> = []
        for path in reading.paths("HEALTH_PATHS") {
            if !seen.insert(path).inserted {
                reading.note(ConfigurationError(variable: "HEALTH_PATHS", problem: "names \(path) twice"))
            } else if Services.isServed(path) {
                reading.note(
                    ConfigurationError(
                        variable: "HEALTH_PATHS", problem: "names \(path), which is served anyway"))
            }
        }
    }

    /// As libpq has it: one port for all hosts, or one for each.
    private static func checkPorts(_ database: Database, _ reading: inout Reading) {
        guard let host = database.host, reading.areGood(["DB_HOST", "DB_PORT"]) else { return }
        let hosts = host.split(separator: ",", omittingEmptySubsequences: false).count
        let ports = database.port.split(separator: ",").count
        if ports != 1 && ports != hosts {
            reading.note(
                ConfigurationError(
                    variables: ["DB_HOST", "DB_PORT"],
                    problem: "must be as long as each other: there are \(ports) in DB_PORT and \(hosts) in DB_HOST"))
        }
    }

    /// No file is looked for that no variable names.
    private static func checkCertificates(_ database: Database, _ reading: inout Reading) {
        guard [.verifyCA, .verifyFull].contains(database.sslMode), database.sslRootCertificate == nil,
            reading.areGood(["DB_SSLMODE", "DB_SSLROOTCERT"])
        else { return }
        reading.note(
            ConfigurationError(
                variables: ["DB_SSLMODE", "DB_SSLROOTCERT"],
                problem: "must be given together: \(database.sslMode.rawValue) verifies against a certificate file"))
    }

    private static func findPassword(_ source: PasswordSource, _ reading: inout Reading) -> Password? {
        do throws(ConfigurationError) {
            let password = try source.find()
            if let password, password.source != "DB_PASSWORD" {
                reading.show("DB_PASSWORD", as: "\(Secret.redacted) (from \(password.source))")
            }
            return password
        } catch {
            reading.note(error)
            return nil
        }
    }

    /// A request must outlast the wait for a connection and the statement after it, or clients see 504 where 503 is true.
    private static func checkTimeouts(_ http: HTTP, _ database: Database, _ reading: inout Reading) {
        let names = ["DB_POOL_TIMEOUT_MS", "DB_STATEMENT_TIMEOUT_MS", "REQUEST_TIMEOUT_MS"]
        guard reading.areGood(names) else { return }
        let sum = database.poolTimeoutMilliseconds + database.statementTimeoutMilliseconds
        guard sum >= http.requestTimeoutMilliseconds else { return }
        reading.note(
            ConfigurationError(
                variables: names,
                problem:
                    "must rise: the first two together, \(sum), below the third, \(http.requestTimeoutMilliseconds)"))
    }
}

extension Configuration.HTTP {
    fileprivate init(_ reading: inout Reading) {
        let workers = reading.integer("WORKERS")
        if workers == nil && reading.areGood(["WORKERS"]) {
            reading.show("WORKERS", as: "\(usableCores()) (default)")
        }
        self.init(
            port: reading.port("PORT"),
            host: reading.requiredText("HOST"),
            adminPort: reading.integer("ADMIN_PORT").map(UInt16.init),
            workers: workers ?? usableCores(),
            basePath: reading.text("BASE_PATH") ?? "",
            trustedProxies: reading.networks("TRUSTED_PROXIES"),
            maxConnections: reading.requiredInteger("MAX_CONNECTIONS"),
            maxBodyBytes: reading.requiredInteger("MAX_BODY_BYTES"),
            maxHeaderBytes: reading.requiredInteger("MAX_HEADER_BYTES"),
            maxHeaderCount: reading.requiredInteger("MAX_HEADER_COUNT"),
            headerTimeoutMilliseconds: reading.requiredInteger("HEADER_TIMEOUT_MS"),
            bodyTimeoutMilliseconds: reading.requiredInteger("BODY_TIMEOUT_MS"),
            writeTimeoutMilliseconds: reading.requiredInteger("WRITE_TIMEOUT_MS"),
            requestTimeoutMilliseconds: reading.requiredInteger("REQUEST_TIMEOUT_MS"),
            keepAliveTimeoutMilliseconds: reading.requiredInteger("KEEPALIVE_TIMEOUT_MS"))
    }
}

extension Configuration.Health {
    fileprivate init(_ reading: Reading) {
        self.init(
            paths: reading.paths("HEALTH_PATHS"),
            databaseGraceMilliseconds: reading.requiredInteger("HEALTH_DB_GRACE_MS"))
    }
}

extension Configuration.Database {
    fileprivate init(_ reading: inout Reading, password: Password?, from source: PasswordSource) {
        let certificate = reading.text("DB_SSLROOTCERT")
        let standard = certificate == nil ? Configuration.SSLMode.prefer : .verifyFull
        let given = reading.text("DB_SSLMODE").flatMap(Configuration.SSLMode.init)
        if given == nil && reading.areGood(["DB_SSLMODE"]) {
            reading.show("DB_SSLMODE", as: "\(standard.rawValue) (default)")
        }
        self.init(
            host: reading.text("DB_HOST"),
            port: reading.requiredText("DB_PORT"),
            name: reading.requiredText("DB_NAME"),
            user: reading.requiredText("DB_USER"),
            password: password?.secret,
            passwordOrigin: password?.origin,
            passwordSource: source,
            sslMode: given ?? standard,
            sslRootCertificate: certificate,
            usesPreparedStatements: reading.flag("DB_PREPARED"),
            secretID: reading.text("DB_SECRET_ID"),
            migratesOnStart: reading.flag("MIGRATE_ON_START"),
            poolMinimum: reading.requiredInteger("DB_POOL_MIN"),
            poolMaximum: reading.requiredInteger("DB_POOL_MAX"),
            poolTimeoutMilliseconds: reading.requiredInteger("DB_POOL_TIMEOUT_MS"),
            statementTimeoutMilliseconds: reading.requiredInteger("DB_STATEMENT_TIMEOUT_MS"),
            connectTimeoutMilliseconds: reading.requiredInteger("DB_CONNECT_TIMEOUT_MS"))
    }
}

extension Configuration.AWS {
    fileprivate init(_ reading: Reading) {
        self.init(
            region: reading.text("AWS_REGION") ?? reading.text("AWS_DEFAULT_REGION"),
            endpointURL: reading.text("AWS_ENDPOINT_URL"),
            secretsManagerEndpointURL: reading.text("AWS_ENDPOINT_URL_SECRETS_MANAGER"),
            metadataServiceEndpoint: reading.text("AWS_EC2_METADATA_SERVICE_ENDPOINT"),
            isMetadataServiceDisabled: ["true", "1"].contains(reading.text("AWS_EC2_METADATA_DISABLED")),
            certificateBundle: reading.text("AWS_CA_BUNDLE"),
            accessKeyID: reading.text("AWS_ACCESS_KEY_ID"),
            secretAccessKey: reading.secret("AWS_SECRET_ACCESS_KEY"),
            sessionToken: reading.secret("AWS_SESSION_TOKEN"),
            containerCredentialsRelativeURI: reading.secret("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI"),
            containerCredentialsFullURI: reading.text("AWS_CONTAINER_CREDENTIALS_FULL_URI"),
            containerAuthorizationToken: reading.secret("AWS_CONTAINER_AUTHORIZATION_TOKEN"),
            containerAuthorizationTokenFile: reading.text("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE"),
            ecsMetadataURI: reading.text("ECS_CONTAINER_METADATA_URI_V4"))
    }
}

extension Configuration.Logging {
    fileprivate init(_ reading: Reading) {
        guard let level = Configuration.LogLevel(rawValue: reading.requiredText("LOG_LEVEL")) else {
            fatalError("LOG_LEVEL passed its choice and is no level")
        }
        self.init(level: level, logsAccess: reading.flag("ACCESS_LOG"))
    }
}

extension Configuration.Drain {
    fileprivate init(_ reading: Reading) {
        self.init(
            delayMilliseconds: reading.requiredInteger("DRAIN_DELAY_MS"),
            timeoutMilliseconds: reading.requiredInteger("DRAIN_TIMEOUT_MS"))
    }
}
