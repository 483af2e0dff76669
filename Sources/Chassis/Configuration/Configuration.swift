/// Everything that can be set from outside: read once at start, then passed down as plain values.
///
/// A new variable is a row of `variables` and a property here; what a property means stands in its row.
struct Configuration: Sendable {
    /// Good as a metric label.
    var environment: String
    /// Nil when it is to be found out.
    var instanceID: String?
    var http: HTTP
    var health: Health
    var database: Database
    /// What the buffers of the process may take together, in bytes.
    var memoryByteLimit: Int
    var aws: AWS
    var logging: Logging
    var drain: Drain
    /// Those of the service's own variables.
    var values: VariableValues
    /// What is allowed and probably not meant, a sentence each.
    var warnings: [String]
    /// `NAME=value` for every variable as it was read, in the table's order, secrets as `<redacted>`.
    let lines: [String]

    /// How the service listens, and what it takes from a client.
    struct HTTP: Sendable {
        /// 0 lets the kernel choose.
        var port: UInt16
        /// A numeric address.
        var host: String
        var adminPort: UInt16?
        /// Event loops, 1 at least.
        var workers: Int
        /// Empty, or `/x` without a slash at its end.
        var basePath: String
        var trustedProxies: TrustedProxies
        var maxConnections: Int
        var maxBodyBytes: Int
        var maxHeaderBytes: Int
        var maxHeaderCount: Int
        var headerTimeoutMilliseconds: Int
        var bodyTimeoutMilliseconds: Int
        var writeTimeoutMilliseconds: Int
        var requestTimeoutMilliseconds: Int
        var keepAliveTimeoutMilliseconds: Int
    }

    /// What `/health` answers, and where else.
    struct Health: Sendable {
        /// Absolute, without the base path.
        var paths: [String]
        var databaseGraceMilliseconds: Int
    }

    /// How PostgreSQL is reached, and how much of it is used at once.
    struct Database: Sendable {
        /// As libpq takes it, so possibly a list. Nil only without `needsDatabase`, or when the secret is to name it.
        var host: String?
        /// One port, or as many as there are hosts, with commas between them.
        var port: String
        var name: String
        var user: String
        var password: Secret?
        /// Where the password was found, in words; nil without one.
        var passwordOrigin: String?
        /// Where to look for it again when the server refuses it.
        var passwordSource: PasswordSource
        var sslMode: SSLMode
        /// A path.
        var sslRootCertificate: String?
        var usesPreparedStatements: Bool
        /// Name or ARN.
        var secretID: String?
        var migratesOnStart: Bool
        /// At most `poolMaximum`.
        var poolMinimum: Int
        /// 1 at least.
        var poolMaximum: Int
        var poolTimeoutMilliseconds: Int
        var statementTimeoutMilliseconds: Int
        var connectTimeoutMilliseconds: Int
    }

    /// What the AWS SDKs read; endpoints are absolute URLs.
    struct AWS: Sendable {
        /// `AWS_REGION`, else `AWS_DEFAULT_REGION`.
        var region: String?
        var endpointURL: String?
        var secretsManagerEndpointURL: String?
        var metadataServiceEndpoint: String?
        var isMetadataServiceDisabled: Bool
        /// A path.
        var certificateBundle: String?
        var accessKeyID: String?
        var secretAccessKey: Secret?
        var sessionToken: Secret?
        var containerCredentialsRelativeURI: Secret?
        var containerCredentialsFullURI: String?
        var containerAuthorizationToken: Secret?
        var containerAuthorizationTokenFile: String?
        var ecsMetadataURI: String?
    }

    /// What is logged.
    struct Logging: Sendable {
        var level: LogLevel
        var logsAccess: Bool
    }

    /// What happens after SIGTERM.
    struct Drain: Sendable {
        var delayMilliseconds: Int
        var timeoutMilliseconds: Int
    }

    /// The levels of the log, the least first.
    enum LogLevel: String, Sendable, CaseIterable {
        case debug, info, warning, error, critical
    }

    /// As libpq's sslmode; the raw value is what libpq takes.
    enum SSLMode: String, Sendable, CaseIterable {
        case disable, allow, prefer, require
        case verifyCA = "verify-ca"
        case verifyFull = "verify-full"
    }
}
