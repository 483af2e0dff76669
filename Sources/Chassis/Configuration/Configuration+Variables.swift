import HTTP1
import Platform
import Postgres
import Vial

extension Configuration {
    /// `MEMORY_MIB` where no cgroup allows less.
    static let standardMemoryMebibytes = 48

    /// Every environment variable of a service, in the order of the table in docs/configuration.md, the service's own
    /// ones last. Defaults that an options type has are taken from there.
    static func variables(of service: Service) -> [Variable] {
        let server = ServerOptions()
        let limits = server.limits
        let pool = Postgres.Database.Options()
        let connection = ConnectionOptions(host: "", database: "", user: "")
        return [
            // Identity
            Variable("ENVIRONMENT", .label, default: "dev", "dev, test, prod …: a label on `/`, logs and metrics"),
            Variable(
                "INSTANCE_ID", .text, default: .computed("IMDSv2, else the ECS task id, else the host name"),
                "names this process on `/`, logs and metrics"),
            Variable(
                BuildInfo.commitVariable(of: service), .label, default: "unknown",
                "the commit that was built, for `build_info` and `--version`"),

            // HTTP
            Variable(
                "PORT", .integer(0...65_535), default: .number(Int(server.port)),
                "the port to listen on; 0 lets the kernel choose"),
            Variable(
                "HOST", .address, default: .text(server.host), "the address to listen on; `::` takes IPv4 clients too"),
            Variable(
                "ADMIN_PORT", .integer(1...65_535), default: nil, "when set, `/metrics` and `/db` are served only there"
            ),
            Variable("WORKERS", .integer(1...1024), default: .computed("number of usable cores"), "event loops"),
            Variable(
                "BASE_PATH", .prefix, default: nil, "serve everything under a prefix, e.g. `/career-profile-tool`"),
            Variable(
                "TRUSTED_PROXIES", .networks,
                default:
                    "10.0.0.0/8,172.16.0.0/12,192.168.0.0/16,169.254.0.0/16,127.0.0.0/8,::1/128,fc00::/7,fe80::/10",
                "peers whose `X-Forwarded-For` and `X-Amzn-Trace-Id` are believed; `none` for nobody"),
            Variable(
                "CORS_ORIGINS", .origins, default: nil,
                "origins of the pages that may use the service from a browser; `none` for its own only"),
            Variable(
                "REQUIRE_PRECONDITIONS", .flag, default: "0",
                "1 answers 428 to a PUT, PATCH or DELETE without `If-Match`, where there is an entity tag to send"),
            Variable(
                "MAX_CONNECTIONS", .integer(1...1_000_000), default: .number(server.maxConnections),
                "for further clients idle connections are given up; with none they wait in the accept queue"),
            Variable(
                "MEMORY_MIB", .integer(16...1_048_576),
                default: .computed("\(standardMemoryMebibytes), at most three quarters of the cgroup's limit"),
                "bodies, statements, results and unsent answers together; above it requests wait or are answered 503"),
            Variable(
                "MAX_BODY_BYTES", .integer(0...1_073_741_824), default: .number(limits.bodyByteLimit),
                "a larger body is answered 413"),
            Variable(
                "MAX_HEADER_BYTES", .integer(1024...1_048_576), default: .number(limits.headByteLimit),
                "more header fields are answered 431"),
            Variable(
                "MAX_HEADER_COUNT", .integer(8...1024), default: .number(limits.fieldCountLimit),
                "more header fields are answered 431"),
            Variable(
                "HEADER_TIMEOUT_MS", .timeout, default: .number(server.headerTimeout.milliseconds),
                "for a request's head to arrive, then 408"),
            Variable(
                "BODY_TIMEOUT_MS", .timeout, default: .number(server.bodyTimeout.milliseconds),
                "for a request's body to arrive, then 408"),
            Variable(
                "WRITE_TIMEOUT_MS", .timeout, default: .number(server.writeTimeout.milliseconds),
                "for the client to take the answer, then close"),
            Variable(
                "REQUEST_TIMEOUT_MS", .timeout, default: .number(server.requestTimeout.milliseconds),
                "for the answer to be made, its SQL included, then 504"),
            Variable(
                "KEEPALIVE_TIMEOUT_MS", .timeout, default: .number(server.keepAliveTimeout.milliseconds),
                "an idle connection is closed; longer than the load balancer's own limit of 60 s"),

            // Health
            Variable(
                "HEALTH_PATHS", .paths, default: "/healthz,/api/health,/api/v1/health",
                "further paths that answer as `/health`; `none` for no further ones"),
            Variable(
                "HEALTH_DB_GRACE_MS", .delay, default: "0",
                "how long after the database was last seen `/health` still answers 200, degraded"),

            // Database
            Variable("DB_HOST", .text, default: nil, "name, address or socket directory; a list as libpq's"),
            Variable(
                "DB_PORT", .ports, default: .text(connection.port),
                "the database's port; a list as long as that of `DB_HOST`"),
            Variable("DB_NAME", .text, default: .text(service.name), "the database's name"),
            Variable("DB_USER", .text, default: .text(service.name), "the role to log in as"),
            Variable("DB_PASSWORD", .password, default: nil, secret: true, "its password; a file is better"),
            Variable(
                "DB_PASSWORD_FILE", .text, default: nil, "a file that holds the password, before all other places"),
            Variable(
                "CREDENTIALS_DIRECTORY", .text, default: nil,
                "set by systemd; `db-password` in it, or else in `/run/secrets`, holds the password, before `DB_PASSWORD`"
            ),
            Variable(
                "DB_SSLMODE", .choice(SSLMode.allCases.map(\.rawValue)),
                default: .computed("verify-full when DB_SSLROOTCERT is given, else prefer"), "as libpq's sslmode"),
            Variable("DB_SSLROOTCERT", .file, default: nil, "the certificates the database's is checked against"),
            Variable(
                "DB_PREPARED", .flag, default: "1",
                "0 sends unnamed statements only, for transaction poolers (pgbouncer before 1.21, RDS Proxy)"),
            Variable(
                "DB_SECRET_ID", .text, default: nil,
                "name or ARN of the Secrets Manager secret; what it holds wins over `DB_*`"),
            Variable(
                "MIGRATE_ON_START", .flag, default: "1", "0 leaves pending migrations to `\(service.name) migrate`"),
            Variable(
                "DB_POOL_MIN", .integer(0...1000), default: .number(pool.minimum),
                "connections the whole process keeps open"),
            Variable(
                "DB_POOL_MAX", .integer(1...1000), default: .number(pool.maximum),
                "connections the whole process may open"),
            Variable(
                "DB_POOL_TIMEOUT_MS", .timeout, default: .number(pool.waitTimeout.milliseconds),
                "longest wait for a connection, then 503"),
            Variable(
                "DB_STATEMENT_TIMEOUT_MS", .timeout, default: .number(pool.statementTimeout.milliseconds),
                "longest run of one statement"),
            Variable(
                "DB_CONNECT_TIMEOUT_MS", .timeout, default: .number(connection.connectTimeout.milliseconds),
                "longest attempt to connect"),

            // AWS
            Variable("AWS_REGION", .label, default: nil, "as in the AWS SDKs"),
            Variable("AWS_DEFAULT_REGION", .label, default: nil, "as in the AWS SDKs, when `AWS_REGION` is unset"),
            Variable("AWS_ENDPOINT_URL", .url, default: nil, "as in the AWS SDKs: every service's endpoint"),
            Variable(
                "AWS_ENDPOINT_URL_SECRETS_MANAGER", .url, default: nil, "as in the AWS SDKs: Secrets Manager's endpoint"
            ),
            Variable("AWS_EC2_METADATA_SERVICE_ENDPOINT", .url, default: nil, "as in the AWS SDKs: IMDSv2's endpoint"),
            Variable(
                "AWS_EC2_METADATA_DISABLED", .choice(["true", "false", "1", "0"]), default: nil,
                "as in the AWS SDKs: `true` asks IMDSv2 for nothing"),
            Variable(
                "AWS_CA_BUNDLE", .file, default: nil,
                "as in the AWS SDKs: the certificates that AWS's are checked against"),
            Variable("AWS_ACCESS_KEY_ID", .text, default: nil, "as in the AWS SDKs"),
            Variable("AWS_SECRET_ACCESS_KEY", .text, default: nil, secret: true, "as in the AWS SDKs"),
            Variable("AWS_SESSION_TOKEN", .text, default: nil, secret: true, "as in the AWS SDKs"),
            Variable(
                "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI", .text, default: nil, secret: true,
                "set by ECS: where its credentials are; whoever knows it can fetch them"),
            Variable("AWS_CONTAINER_CREDENTIALS_FULL_URI", .url, default: nil, "as in the AWS SDKs"),
            Variable("AWS_CONTAINER_AUTHORIZATION_TOKEN", .text, default: nil, secret: true, "as in the AWS SDKs"),
            Variable("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE", .text, default: nil, "as in the AWS SDKs"),
            Variable("ECS_CONTAINER_METADATA_URI_V4", .url, default: nil, "set by ECS: where the task's id is"),

            // Logs
            Variable(
                "LOG_LEVEL", .choice(LogLevel.allCases.map(\.rawValue)), default: "info", "lines below it are left out"),
            Variable("ACCESS_LOG", .flag, default: "1", "0 leaves out the line that each request writes"),

            // Stop
            Variable(
                "DRAIN_DELAY_MS", .delay, default: .number(server.drainDelay.milliseconds),
                "after SIGTERM: still accepting, with health 503, while the balancer takes the target out"),
            Variable(
                "DRAIN_TIMEOUT_MS", .delay, default: .number(server.drainTimeout.milliseconds),
                "then: for requests in flight to finish"),
        ] + service.variables
    }
}
