import Configuration
import Postgres
import Reactor
import Synchronization
import Telemetry
import Testing
import Vial

@testable import Chassis
@testable import TestSupport

/// Invalid declarations: the process ends at the start and names the error.
@Suite(.timeLimit(.minutes(1))) struct ServiceDeclarationTests {
    private static func service(
        variables: [Variable] = [], migrations: [Migration] = [], statements: [Statement] = [],
        sessionSettings: [(name: String, value: String)] = [], countedTable: String? = nil,
        keepsIdempotencyKeys: Bool = false, routes: @escaping Service.Routes = { _, _ in }
    ) -> Service {
        Service(
            name: "orders", version: "1", summary: "", variables: variables, migrations: migrations,
            statements: statements, sessionSettings: sessionSettings, countedTable: countedTable,
            keepsIdempotencyKeys: keepsIdempotencyKeys, routes: routes)
    }

    private static func standardError(of result: ExitTest.Result?) -> String {
        String(decoding: result?.standardErrorContent ?? [], as: UTF8.self)
    }

    @Test(arguments: ["find_order", "health", "database_status", "expire_idempotency_keys"])
    func `traps on two statements with one name, of the service or of every service`(name: String) async {
        let result = await #expect(processExitsWith: .failure, observing: [\.standardErrorContent]) { [name] in
            _ = ServiceDeclarationTests.service(
                migrations: IdempotencyKey.migrations,
                statements: [Statement("find_order", "SELECT 1"), Statement(name, "SELECT 2")],
                keepsIdempotencyKeys: true)
        }
        #expect(Self.standardError(of: result).contains("two statements are named '\(name)'"))
    }

    @Test func `traps on a statement with the name of another one's bulk form`() async {
        let result = await #expect(processExitsWith: .failure, observing: [\.standardErrorContent]) {
            let many = Statement("find_orders", "SELECT id FROM orders WHERE id = ANY($1::int8[])")
            _ = ServiceDeclarationTests.service(
                statements: [
                    Statement("find_order", "SELECT id FROM orders WHERE id = $1::int8", lookingUp: many),
                    Statement("find_orders", "SELECT 2"),
                ])
        }
        #expect(Self.standardError(of: result).contains("two statements are named 'find_orders'"))
    }

    @Test func `may list a statement's bulk form or omit it`() {
        let many = Statement("find_orders", "SELECT id FROM orders WHERE id = ANY($1::int8[])")
        let one = Statement("find_order", "SELECT id FROM orders WHERE id = $1::int8", lookingUp: many)
        #expect(Self.service(statements: [one, many]).statements.count == 4)
        #expect(Self.service(statements: [one]).statements.count == 3)
    }

    @Test func `traps on idempotency keys without their migrations`() async {
        let result = await #expect(processExitsWith: .failure, observing: [\.standardErrorContent]) {
            _ = ServiceDeclarationTests.service(
                migrations: [IdempotencyKey.migrations[0]], keepsIdempotencyKeys: true)
        }
        #expect(Self.standardError(of: result).contains("'idempotency_answers'"))
    }

    @Test(arguments: ["PORT", "DB_POOL_MAX", "ORDERS_COMMIT", "ORDER_NOTE", "Port", "order_limit", "1ST", ""])
    func `traps on a variable that exists already or has an invalid name`(name: String) async {
        let result = await #expect(processExitsWith: .failure, observing: [\.standardErrorContent]) { [name] in
            _ = ServiceDeclarationTests.service(
                variables: [Variable("ORDER_NOTE", .text, ""), Variable(name, .integer(1...100_000), "")])
        }
        #expect(Self.standardError(of: result).contains("'\(name)'"))
    }

    @Test(arguments: [
        "", "Orders", "order's", "1st", "public.orders", "order-lines", "ä", String(repeating: "a", count: 64),
    ])
    func `traps on a counted table whose name is not a plain identifier`(table: String) async {
        let result = await #expect(processExitsWith: .failure, observing: [\.standardErrorContent]) { [table] in
            _ = ServiceDeclarationTests.service(countedTable: table)
        }
        #expect(Self.standardError(of: result).contains("'\(table)'"))
    }

    @Test(arguments: ["", "work_mem'", "work mem", "1st", "a..b", ".a"])
    func `traps on a session setting whose name is not a parameter's`(name: String) async {
        let result = await #expect(processExitsWith: .failure, observing: [\.standardErrorContent]) { [name] in
            _ = ServiceDeclarationTests.service(sessionSettings: [("enable_seqscan", "off"), (name, "1")])
        }
        #expect(Self.standardError(of: result).contains("'\(name)'"))
    }

    @Test func `sets parameters of PostgreSQL and of its extensions`() {
        let settings = [("DateStyle", "ISO"), ("auto_explain.log_min_duration", "10s")]
        #expect(Self.service(sessionSettings: settings).sessionSettings.count == 2)
    }

    @Test(arguments: [
        "http_requests_total", "http_request_duration_seconds_total", "db_query_duration_seconds_total",
        "db_reconnects_total", "process_cpu_seconds_total",
    ])
    func `traps on a metric with the name of a standard one, whichever is registered first`(
        name: String
    ) async {
        let result = await #expect(processExitsWith: .failure, observing: [\.standardErrorContent]) { [name] in
            let service = ServiceDeclarationTests.service()
            let loop = try EventLoop(index: 0)
            let observability = try Observability(
                of: service, try configuration(of: service), instanceID: "i-1", descriptor: 1)
            let observer = observability.makeObserver(on: loop)
            let connector = Connector(options: { () throws(DatabaseError) in throw .closing })
            let pool = Pool(
                on: loop, minimum: 0, maximum: 1, waitLimit: .milliseconds(0), statementLimit: .milliseconds(0),
                connector: connector,
                observe: { _ in })
            let context = Service.Context(
                pool: pool, values: try configuration(of: service).values, requiresPreconditions: false,
                registry: observability.registry)
            _ = context.counter(name, "Of its own.")
            withExtendedLifetime(observer) {}
        }
        #expect(Self.standardError(of: result).contains(name))
    }

    @Test func `builds the routes to learn their paths only for a server`() throws {
        let callCount = Mutex(0)
        let service = Self.service { app, _ in
            callCount.withLock { $0 += 1 }
            app.get("/orders") { _ in .noContent }
        }
        let pairs = [(AbsoluteConfigKey(["HEALTH_PATHS"]), ConfigValue(.string("/orders"), isSecret: false))]
        let reader = ConfigReader(provider: InMemoryProvider(values: Dictionary(uniqueKeysWithValues: pairs)))
        let other = Configuration.examine(
            for: service, from: reader, needsDatabase: false, serves: false, secretsDirectory: "/nowhere")
        #expect(other.errors == [] && callCount.withLock { $0 } == 0)
        let server = Configuration.examine(
            for: service, from: reader, needsDatabase: false, secretsDirectory: "/nowhere")
        #expect(server.errors.map(\.variables) == [["HEALTH_PATHS"]] && callCount.withLock { $0 } == 1)
    }
}
