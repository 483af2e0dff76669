import Configuration
import Postgres
import Reactor
import Synchronization
import Telemetry
import Testing
import Vial

@testable import Chassis
@testable import TestSupport

/// What a service cannot be declared with: the process ends at its start, and says which name is wrong.
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
    func `has no two statements of one name, its own and those that every service has`(name: String) async {
        let result = await #expect(processExitsWith: .failure, observing: [\.standardErrorContent]) { [name] in
            _ = ServiceDeclarationTests.service(
                migrations: IdempotencyKey.migrations,
                statements: [Statement("find_order", "SELECT 1"), Statement(name, "SELECT 2")],
                keepsIdempotencyKeys: true)
        }
        #expect(Self.standardError(of: result).contains("two statements are named '\(name)'"))
    }

    @Test func `has no statement that is called as what many of another run as`() async {
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

    @Test func `may list what many of a statement run as, or leave it out`() {
        let many = Statement("find_orders", "SELECT id FROM orders WHERE id = ANY($1::int8[])")
        let one = Statement("find_order", "SELECT id FROM orders WHERE id = $1::int8", lookingUp: many)
        #expect(Self.service(statements: [one, many]).statements.count == 4)
        #expect(Self.service(statements: [one]).statements.count == 3)
    }

    @Test func `keeps idempotency keys only in the table that their migrations make`() async {
        let result = await #expect(processExitsWith: .failure, observing: [\.standardErrorContent]) {
            _ = ServiceDeclarationTests.service(
                migrations: [IdempotencyKey.migrations[0]], keepsIdempotencyKeys: true)
        }
        #expect(Self.standardError(of: result).contains("'idempotency_answers'"))
    }

    @Test(arguments: ["PORT", "DB_POOL_MAX", "ORDERS_COMMIT", "ORDER_NOTE", "Port", "order_limit", "1ST", ""])
    func `has no variable that is one already, or that no environment has`(name: String) async {
        let result = await #expect(processExitsWith: .failure, observing: [\.standardErrorContent]) { [name] in
            _ = ServiceDeclarationTests.service(
                variables: [Variable("ORDER_NOTE", .text, ""), Variable(name, .integer(1...100_000), "")])
        }
        #expect(Self.standardError(of: result).contains("'\(name)'"))
    }

    @Test(arguments: [
        "", "Orders", "order's", "1st", "public.orders", "order-lines", "ä", String(repeating: "a", count: 64),
    ])
    func `counts no table whose name is no plain identifier`(table: String) async {
        let result = await #expect(processExitsWith: .failure, observing: [\.standardErrorContent]) { [table] in
            _ = ServiceDeclarationTests.service(countedTable: table)
        }
        #expect(Self.standardError(of: result).contains("'\(table)'"))
    }

    @Test(arguments: ["", "work_mem'", "work mem", "1st", "a..b", ".a"])
    func `sets nothing in a session whose name is no parameter's`(name: String) async {
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
    func `counts nothing under a name that every service has, whenever that one is first counted`(
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
                pool: pool, values: try configuration(of: service).values, registry: observability.registry)
            _ = context.counter(name, "Of its own.")
            withExtendedLifetime(observer) {}
        }
        #expect(Self.standardError(of: result).contains(name))
    }

    @Test func `learns its routes' paths for a server alone`() throws {
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
