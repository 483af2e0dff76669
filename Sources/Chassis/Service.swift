public import Postgres
import Synchronization
public import Vial

/// A service over HTTP and PostgreSQL: what it is called, its schema, its statements, its routes. `run` adds the rest:
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
    /// Asks whether the routes can be served.
    let readiness: Statement
    /// Asks for what `/db` shows.
    let databaseStatus: Statement
    /// All that a connection prepares.
    let statements: [Statement]

    /// Traps, with a message that says which, when a name that is declared here is no good one or is taken.
    ///
    /// - Parameters:
    ///   - name: a lower-case letter, then lower-case letters, digits and underscores, 40 at most. The command, `Server`,
    ///     `service` on `/`, PostgreSQL's `application_name`, the default of `DB_NAME` and `DB_USER`, the table
    ///     `NAME_migrations` and the variable `NAME_COMMIT` are named by it.
    ///   - version: as semver.org has it.
    ///   - summary: a sentence for `--help`.
    ///   - variables: further ones that it is configured by, in upper-case letters, digits and underscores; none has the name
    ///     of one that every service has. They are checked with those, shown by `check-config`, and found in the context's
    ///     `values`.
    ///   - migrations: its schema, step by step. A step is never changed or removed once it was released.
    ///   - keptSchema: what a database needs that was in use before these migrations.
    ///   - statements: prepared on every connection, and observed by name in `db_query_duration_seconds`. Each has another
    ///     name; `health`, `database_status` and, with idempotency keys, `expire_idempotency_keys` are taken.
    ///   - sessionSettings: PostgreSQL's parameters for the sessions of the pool, such as the planner's, with any values; not
    ///     set behind a pooler that shares its sessions.
    ///   - readiness: SQL whose one row is `true` when the routes can be served; `/health` asks it.
    ///   - countedTable: the table whose estimated count of rows `/db` shows, as `estimated_TABLE`; null while there is no
    ///     such table. 1 to 63 lower-case letters, digits and underscores, no digit first.
    ///   - links: members of `links` on `/`, before those that every service has; paths without the base path.
    ///   - keepsIdempotencyKeys: whether old ones are removed from the table that `IdempotencyKey.migrations` makes; these are
    ///     among the migrations then.
    ///   - routes: registers routes, and makes counters for them; it begins nothing and asks nobody. `serve` calls it for
    ///     each event loop and each port that is listened on. `serve` and `check-config` call it once before, unless
    ///     `HEALTH_PATHS` is bad or `none`, to compare that with the patterns: with a pool that has no connection, and
    ///     counters that nobody reads. The other commands do not call it. The paths `/`, `/health`, `/health/ready`, `/health/live`, `/db` and `/metrics` are taken.
    public init(
        name: String, version: String, summary: String, variables: [Variable] = [], migrations: [Migration] = [],
        keptSchema: KeptSchema = KeptSchema(), statements: [Statement] = [],
        sessionSettings: [(name: String, value: String)] = [], readiness: String = "SELECT true",
        countedTable: String? = nil, links: [(name: String, path: String)] = [], keepsIdempotencyKeys: Bool = false,
        routes: @escaping Routes
    ) {
        precondition(Self.isName(name), "'\(name)' is no name of a service")
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

    /// Runs the command that the process was called with: `serve`, `migrate`, `healthcheck`, `check-config` or `secret`;
    /// `--help` tells what each does. To be called once, by `main`, before the process starts a thread or opens a
    /// descriptor. Returns, or ends the process, when the command is over.
    public func run() {
        Self.running.withLock { running in
            precondition(running == nil, "a process runs one service")
            running = self
        }
        ServiceCommand.run()
    }

    private static let running = Mutex<Service?>(nil)

    /// The one that this process runs: what parses the command line makes a command of nothing but its type.
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
