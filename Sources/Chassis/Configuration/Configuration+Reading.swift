import Configuration
import Vial

extension Configuration {
    /// Reads the environment of this process; the reader's reports omit the values of secret variables.
    private static func processEnvironment(of service: Service) -> ConfigReader {
        let secrets = Set(variables(of: service).filter(\.isSecret).map(\.name))
        return ConfigReader(provider: EnvironmentVariablesProvider(secretsSpecifier: .specific(secrets)))
    }

    /// The configuration in force. An empty value counts as unset.
    ///
    /// - Parameters:
    ///   - service: its own variables are read besides those of every service.
    ///   - reader: its keys are the variables' names, its values texts; by default that of the process's environment.
    ///   - needsDatabase: whether a missing database host is an error.
    ///   - serves: whether the service's routes are created, to compare `HEALTH_PATHS` with their patterns.
    ///   - secretsDirectory: the directory of a container's secrets.
    ///   - memoryLimit: the bytes that the process may use; nil when there is no limit.
    /// - Throws: all errors at once.
    static func read(
        for service: Service, from reader: ConfigReader? = nil, needsDatabase: Bool = true, serves: Bool = true,
        secretsDirectory: String = "/run/secrets", memoryLimit: Int? = MemoryLimit.ofThisProcess()
    ) throws(ConfigurationErrors) -> Configuration {
        let (configuration, errors) = examine(
            for: service, from: reader, needsDatabase: needsDatabase, serves: serves,
            secretsDirectory: secretsDirectory, memoryLimit: memoryLimit)
        guard errors.isEmpty else { throw ConfigurationErrors(errors: errors) }
        return configuration
    }

    /// As `read`, but returns the errors and a configuration with defaults in place of the invalid values.
    static func examine(
        for service: Service, from reader: ConfigReader? = nil, needsDatabase: Bool = true, serves: Bool = true,
        secretsDirectory: String = "/run/secrets", memoryLimit: Int? = MemoryLimit.ofThisProcess()
    ) -> (configuration: Configuration, errors: [ConfigurationError]) {
        var reading = Reading(variables(of: service), from: reader ?? processEnvironment(of: service))
        let source = PasswordSource(
            file: reading.values.textIfSet("DB_PASSWORD_FILE"),
            credentialsDirectory: reading.values.textIfSet("CREDENTIALS_DIRECTORY"),
            secretsDirectory: secretsDirectory, variable: reading.values.secret("DB_PASSWORD"))
        let password = findPassword(source, &reading)
        var http = HTTP(&reading)
        let database = Database(&reading, password: password, from: source)
        // The secret may contain it.
        if needsDatabase && database.host == nil && database.secretID == nil
            && reading.areGood(["DB_HOST", "DB_SECRET_ID"])
        {
            reading.note(ConfigurationError(variable: "DB_HOST", problem: "must be set"))
        }
        check(http, database, &reading)
        checkHealthPaths(service, serves: serves, &reading)
        var warnings = warnings(of: http, password, reading)
        let memory = findMemory(limit: memoryLimit, http, &reading, &warnings)
        lowerConnections(of: &http, to: memory, &reading, &warnings)
        let configuration = Configuration(
            environment: reading.values.text("ENVIRONMENT"),
            instanceID: reading.values.textIfSet("INSTANCE_ID"),
            http: http, health: Health(reading), database: database, memoryByteLimit: memory, aws: AWS(reading),
            logging: Logging(reading), drain: Drain(reading), values: reading.values.of(service.variables),
            warnings: warnings,
            lines: reading.lines)
        return (configuration, reading.sortedErrors)
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
}

extension Configuration.HTTP {
    fileprivate init(_ reading: inout Reading) {
        let workers = reading.values.integerIfSet("WORKERS")
        if workers == nil && reading.areGood(["WORKERS"]) {
            reading.show("WORKERS", as: "\(usableCores()) (default)")
        }
        self.init(
            port: reading.values.port("PORT"),
            host: reading.values.text("HOST"),
            adminPort: reading.values.integerIfSet("ADMIN_PORT").map(UInt16.init),
            workers: workers ?? usableCores(),
            basePath: reading.values.textIfSet("BASE_PATH") ?? "",
            trustedProxies: reading.values.networks("TRUSTED_PROXIES"),
            crossOrigin: CrossOrigin(reading.values.origins("CORS_ORIGINS")),
            requiresPreconditions: reading.values.flag("REQUIRE_PRECONDITIONS"),
            maxConnections: reading.values.integer("MAX_CONNECTIONS"),
            maxBodyBytes: reading.values.integer("MAX_BODY_BYTES"),
            maxHeaderBytes: reading.values.integer("MAX_HEADER_BYTES"),
            maxHeaderCount: reading.values.integer("MAX_HEADER_COUNT"),
            headerTimeout: reading.values.duration("HEADER_TIMEOUT_MS"),
            bodyTimeout: reading.values.duration("BODY_TIMEOUT_MS"),
            writeTimeout: reading.values.duration("WRITE_TIMEOUT_MS"),
            requestTimeout: reading.values.duration("REQUEST_TIMEOUT_MS"),
            keepAliveTimeout: reading.values.duration("KEEPALIVE_TIMEOUT_MS"))
    }
}

extension Configuration.Health {
    fileprivate init(_ reading: Reading) {
        self.init(
            paths: reading.values.paths("HEALTH_PATHS"),
            databaseGrace: reading.values.duration("HEALTH_DB_GRACE_MS"))
    }
}

extension Configuration.Database {
    fileprivate init(_ reading: inout Reading, password: Password?, from source: PasswordSource) {
        let certificate = reading.values.textIfSet("DB_SSLROOTCERT")
        let standard = certificate == nil ? Configuration.SSLMode.prefer : .verifyFull
        let given = reading.values.textIfSet("DB_SSLMODE").flatMap(Configuration.SSLMode.init)
        if given == nil && reading.areGood(["DB_SSLMODE"]) {
            reading.show("DB_SSLMODE", as: "\(standard.rawValue) (default)")
        }
        self.init(
            host: reading.values.textIfSet("DB_HOST"),
            port: reading.values.text("DB_PORT"),
            name: reading.values.text("DB_NAME"),
            user: reading.values.text("DB_USER"),
            password: password?.secret,
            passwordOrigin: password?.origin,
            passwordSource: source,
            sslMode: given ?? standard,
            sslRootCertificate: certificate,
            usesPreparedStatements: reading.values.flag("DB_PREPARED"),
            secretID: reading.values.textIfSet("DB_SECRET_ID"),
            migratesOnStart: reading.values.flag("MIGRATE_ON_START"),
            poolMinimum: reading.values.integer("DB_POOL_MIN"),
            poolMaximum: reading.values.integer("DB_POOL_MAX"),
            poolTimeout: reading.values.duration("DB_POOL_TIMEOUT_MS"),
            statementTimeout: reading.values.duration("DB_STATEMENT_TIMEOUT_MS"),
            connectTimeout: reading.values.duration("DB_CONNECT_TIMEOUT_MS"))
    }
}

extension Configuration.AWS {
    fileprivate init(_ reading: Reading) {
        self.init(
            region: reading.values.textIfSet("AWS_REGION") ?? reading.values.textIfSet("AWS_DEFAULT_REGION"),
            endpointURL: reading.values.textIfSet("AWS_ENDPOINT_URL"),
            secretsManagerEndpointURL: reading.values.textIfSet("AWS_ENDPOINT_URL_SECRETS_MANAGER"),
            metadataServiceEndpoint: reading.values.textIfSet("AWS_EC2_METADATA_SERVICE_ENDPOINT"),
            isMetadataServiceDisabled: ["true", "1"].contains(reading.values.textIfSet("AWS_EC2_METADATA_DISABLED")),
            certificateBundle: reading.values.textIfSet("AWS_CA_BUNDLE"),
            accessKeyID: reading.values.textIfSet("AWS_ACCESS_KEY_ID"),
            secretAccessKey: reading.values.secret("AWS_SECRET_ACCESS_KEY"),
            sessionToken: reading.values.secret("AWS_SESSION_TOKEN"),
            containerCredentialsRelativeURI: reading.values.secret("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI"),
            containerCredentialsFullURI: reading.values.textIfSet("AWS_CONTAINER_CREDENTIALS_FULL_URI"),
            containerAuthorizationToken: reading.values.secret("AWS_CONTAINER_AUTHORIZATION_TOKEN"),
            containerAuthorizationTokenFile: reading.values.textIfSet("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE"),
            ecsMetadataURI: reading.values.textIfSet("ECS_CONTAINER_METADATA_URI_V4"))
    }
}

extension Configuration.Logging {
    fileprivate init(_ reading: Reading) {
        guard let level = Configuration.LogLevel(rawValue: reading.values.text("LOG_LEVEL")) else {
            fatalError("LOG_LEVEL is one of its choices but not a level")
        }
        self.init(level: level, logsAccess: reading.values.flag("ACCESS_LOG"))
    }
}

extension Configuration.Drain {
    fileprivate init(_ reading: Reading) {
        self.init(
            delay: reading.values.duration("DRAIN_DELAY_MS"),
            timeout: reading.values.duration("DRAIN_TIMEOUT_MS"))
    }
}
