import Vial

/// Every external setting: read once at the start, then passed down as plain values.
///
/// A new variable is a row of `variables` and a property here; the row describes its meaning.
struct Configuration: Sendable {
    /// Valid as a metric label.
    var environment: String
    /// Nil when it must be discovered.
    var instanceID: String?
    var http: HTTP
    var health: Health
    var database: Database
    /// Bytes that the buffers of the process may use together.
    var memoryByteLimit: Int
    var aws: AWS
    var logging: Logging
    var drain: Drain
    /// The values of the service's own variables.
    var values: VariableValues
    /// Warnings about accepted values that are probably mistakes, one sentence each.
    var warnings: [String]
    /// `NAME=value` for every variable as read, in the table's order, secrets as `<redacted>`.
    let lines: [String]

    /// The address to listen on, and the limits for clients.
    struct HTTP: Sendable {
        /// 0 lets the kernel choose.
        var port: UInt16
        /// A numeric address.
        var host: String
        var adminPort: UInt16?
        /// Event loops, at least 1.
        var workers: Int
        /// Empty, or `/x` without a slash at its end.
        var basePath: String
        var trustedProxies: TrustedProxies
        /// Which pages of other origins may use the service.
        var crossOrigin: CrossOrigin
        /// Whether a write without `If-Match` is refused.
        var requiresPreconditions: Bool
        var maxConnections: Int
        var maxBodyBytes: Int
        var maxHeaderBytes: Int
        var maxHeaderCount: Int
        var headerTimeout: Duration
        var bodyTimeout: Duration
        var writeTimeout: Duration
        var requestTimeout: Duration
        var keepAliveTimeout: Duration
    }

    /// The answer of `/health`, and its further paths.
    struct Health: Sendable {
        /// Absolute, without the base path.
        var paths: [String]
        var databaseGrace: Duration
    }

    /// How PostgreSQL is reached, and how many connections are used.
    struct Database: Sendable {
        /// In libpq's form, so possibly a list. Nil only without `needsDatabase`, or when the secret has it.
        var host: String?
        /// One port, or as many as there are hosts, separated by commas.
        var port: String
        var name: String
        var user: String
        var password: Secret?
        /// A description of the place of the password; nil without one.
        var passwordOrigin: String?
        /// Reads the password again when the server refuses it.
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
        /// At least 1.
        var poolMaximum: Int
        var poolTimeout: Duration
        var statementTimeout: Duration
        var connectTimeout: Duration
    }

    /// The settings that the AWS SDKs read; endpoints are absolute URLs.
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

    /// The logging settings.
    struct Logging: Sendable {
        var level: LogLevel
        var logsAccess: Bool
    }

    /// The stop after SIGTERM.
    struct Drain: Sendable {
        var delay: Duration
        var timeout: Duration
    }

    /// The levels of the log, in ascending order of severity.
    enum LogLevel: String, Sendable, CaseIterable {
        case debug, info, warning, error, critical
    }

    /// libpq's sslmode; the raw value is libpq's.
    enum SSLMode: String, Sendable, CaseIterable {
        case disable, allow, prefer, require
        case verifyCA = "verify-ca"
        case verifyFull = "verify-full"
    }
}
