public import Postgres
import Synchronization
public import Vial

/// A service over HTTP and PostgreSQL: its name, its schema, its statements, its routes. `run` adds the rest:
/// configuration, logs, metrics, health, migrations, the commands, start and stop.
public struct Service: Sendable {
    /// Adds the service's routes to an app, with what they need of one event loop.
    public typealias Routes = @Sendable (inout App, Context) -> Void

    let name: String
    let version: String
    let summary: String
    let variables: [Variable]
    let migrations: [Migration]
    let keptSchema: KeptSchema
    let sessionSettings: [(name: String, value: String)]
    let countedTable: String?
    let links: [(name: String, path: String)]
    let keepsIdempotencyKeys: Bool
    let addRoutes: Routes
    /// Queries whether the routes can be served.
    let readiness: Statement
    /// Queries the values of `/db`.
    let databaseStatus: Statement
    /// The statements that every connection prepares.
    let statements: [Statement]

    /// Traps, with a message that names it, when a declared name is invalid or in use.
    ///
    /// - Parameters:
    ///   - name: a lower-case letter, then lower-case letters, digits and underscores, at most 40. It names the command,
    ///     `Server`, `service` on `/`, PostgreSQL's `application_name`, the default of `DB_NAME` and `DB_USER`, the table
    ///     `NAME_migrations` and the variable `NAME_COMMIT`.
    ///   - version: in the form of semver.org.
    ///   - summary: a sentence for `--help`.
    ///   - variables: further variables, in upper-case letters, digits and underscores; none has the name of one that
    ///     every service has. They are checked with those, shown by `check-config`, and available in the context's
    ///     `values`.
    ///   - migrations: its schema, step by step. A released step is never changed or removed.
    ///   - keptSchema: adapts a database that was in use before these migrations.
    ///   - statements: prepared on every connection, and observed by name in `db_query_duration_seconds`. Names are
    ///     unique; `health`, `database_status` and, with idempotency keys, `expire_idempotency_keys` are in use.
    ///   - sessionSettings: PostgreSQL's parameters for the sessions of the pool, such as the planner's, with any values;
    ///     not set behind a pooler that shares its sessions.
    ///   - readiness: SQL whose one row is `true` when the routes can be served; `/health` runs it.
    ///   - countedTable: the table whose estimated row count `/db` shows, as `estimated_TABLE`; null while there is no
    ///     such table. 1 to 63 lower-case letters, digits and underscores, not beginning with a digit.
    ///   - links: members of `links` on `/`, before those that every service has; paths without the base path.
    ///   - keepsIdempotencyKeys: whether expired keys are deleted from the table of `IdempotencyKey.migrations`, which
    ///     must then be among the migrations.
    ///   - routes: registers routes and creates their counters; it starts nothing and sends no request. `serve` calls it
    ///     for each event loop and each port. `serve` and `check-config` call it once before, unless `HEALTH_PATHS` is
    ///     invalid or `none`, to compare `HEALTH_PATHS` with the patterns: with a pool that has no connection, and
    ///     counters that are not exposed. The other commands do not call it. The paths `/`, `/health`, `/health/ready`,
    ///     `/health/live`, `/db`, `/metrics`, `/problems/{name}`, `/openapi.json`, `/docs` and
    ///     `/.well-known/api-catalog` are in use.
    public init(
        name: String, version: String, summary: String, variables: [Variable] = [], migrations: [Migration] = [],
        keptSchema: KeptSchema = KeptSchema(), statements: [Statement] = [],
        sessionSettings: [(name: String, value: String)] = [], readiness: String = "SELECT true",
        countedTable: String? = nil, links: [(name: String, path: String)] = [], keepsIdempotencyKeys: Bool = false,
        routes: @escaping Routes
    ) {
        precondition(Self.isName(name), "'\(name)' is not a valid service name")
        self.name = name
        self.version = version
        self.summary = summary
        self.variables = variables
        self.migrations = migrations
        self.keptSchema = keptSchema
        self.sessionSettings = sessionSettings
        self.countedTable = countedTable
        self.links = links
        self.keepsIdempotencyKeys = keepsIdempotencyKeys
        addRoutes = routes
        self.readiness = Statement("health", readiness)
        databaseStatus = DatabaseStatus.statement(countedTable: countedTable)
        self.statements =
            statements + (keepsIdempotencyKeys ? [KeyExpiry.statement] : []) + [self.readiness, databaseStatus]
        check()
    }

    /// Runs the command in the process's arguments: `serve`, `migrate`, `healthcheck`, `check-config` or `secret`;
    /// `--help` describes each. Call it once, from `main`, before the process starts a thread or opens a descriptor.
    /// Returns, or ends the process, when the command has ended.
    public func run() {
        Self.running.withLock { running in
            precondition(running == nil, "a process runs one service")
            running = self
        }
        ServiceCommand.run()
    }

    private static let running = Mutex<Service?>(nil)

    /// The service of this process: the command-line parser creates a command from its type only.
    static var current: Service {
        guard let service = running.withLock({ $0 }) else { preconditionFailure("a command without a service") }
        return service
    }

    private static func isName(_ name: String) -> Bool {
        let letters: ClosedRange<Unicode.Scalar> = "a"..."z"
        let digits: ClosedRange<Unicode.Scalar> = "0"..."9"
        return (1...40).contains(name.unicodeScalars.count) && letters.contains(name.unicodeScalars.first ?? " ")
            && name.unicodeScalars.allSatisfy { letters.contains($0) || digits.contains($0) || $0 == "_" }
    }
}
