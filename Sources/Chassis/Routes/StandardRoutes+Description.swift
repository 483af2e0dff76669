import HTTPTypes
import Vial

// What the document says about the routes that every service has.

extension StandardRoutes {
    private static let tag = "service"

    /// - Parameter hidesOperations: whether the app does not serve `/metrics` and `/db`.
    func describe(in app: inout App, hidesOperations: Bool) {
        let tag = Self.tag
        app.describe("/", "read_service", "Describes the service", tag: tag, answer: ServiceSummary.self)
        app.describe(
            "/health", "read_health", "Says whether requests can be served, by asking the database", tag: tag,
            answer: HealthCheck.self, also: [.serviceUnavailable])
        app.describe(
            "/health/ready", "read_readiness", "As /health, for a container", tag: tag, answer: HealthCheck.self,
            also: [.serviceUnavailable])
        app.describe(
            "/health/live", "read_liveness", "Says that the process serves", tag: tag, answer: Liveness.self)
        if hidesOperations { return }
        app.describe(
            "/db", "read_database", "Statistics of the database and the pool", tag: tag, answer: DatabaseSummary.self)
        app.describe("/metrics", "read_metrics", "Metrics for Prometheus", tag: tag, answer: MetricsText.self)
    }
}

extension Schema {
    fileprivate static var count: Schema { Schema(["type": "integer", "minimum": 0], example: 1) }
    fileprivate static func word(_ example: String) -> Schema { .string(example: example) }
}

/// The body of `/`.
private enum ServiceSummary: Described {
    static let schema = Schema.object(
        "ServiceDescription",
        [
            .required("service", .word("items")), .required("version", .word("1.0.0")),
            .required("environment", .word("prod")), .required("instance_id", .word("i-0123456789abcdef0")),
            .required("uptime_seconds", .count),
            .required(
                "links",
                Schema(
                    ["type": "object", "additionalProperties": ["type": "string"]], example: ["health": "/health"])),
        ])
}

/// The body of `/health`.
private enum HealthCheck: Described {
    static let schema = Schema.object(
        "ServiceHealth",
        [
            .required(
                "status",
                Schema(
                    ["type": "string", "enum": ["healthy", "degraded", "unhealthy", "draining"]], example: "healthy")),
            .required("checks", .object("HealthChecks", [.optional("database", database)])),
        ])
    private static let database = Schema.object(
        "DatabaseCheck",
        [
            .required("status", Schema(["type": "string", "enum": ["up", "down"]], example: "up")),
            .required("latency_ms", Schema(["type": "number", "minimum": 0], example: 1)),
        ])
}

/// The body of `/health/live`.
private enum Liveness: Described {
    static let schema = Schema.object(
        "ServiceLiveness", [.required("status", Schema(["type": "string", "enum": ["alive"]], example: "alive"))])
}

/// The body of `/db`, without the estimated count, whose name depends on the service's table.
private enum DatabaseSummary: Described {
    static let schema = Schema.object(
        "DatabaseStatus",
        [
            .required("server_version", .word("15.14")), .required("database", .word("items")),
            .required("size_bytes", .count),
            .required(
                "connections", .object("DatabaseConnections", [.required("used", .count), .required("max", .count)])),
            .required("is_replica", Schema(["type": "boolean"], example: false)),
            .required(
                "pool",
                .object(
                    "PoolStatus", ["min", "max", "open", "idle", "in_use", "waiting"].map { .required($0, .count) })),
        ])
}

/// The body of `/metrics`.
private enum MetricsText: Described {
    static let schema = Schema.string(example: "# EOF")
    static let mediaType = "text/plain"
}
