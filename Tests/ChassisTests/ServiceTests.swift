import Configuration
import Formatting
import HTTP1
import HTTPTypes
import Postgres
import Reactor
import Synchronization
import Telemetry
import Testing
import Vial

@testable import Chassis
@testable import TestSupport

@Suite(.timeLimit(.minutes(1))) struct ServiceTests {
    private static func orders(countedTable: String? = nil, _ routes: @escaping Service.Routes = { _, _ in }) -> Service
    {
        Service(
            name: "orders", version: "3.1.4", summary: "Serves orders.",
            variables: [
                Variable("ORDER_LIMIT", .integer(1...1000), default: .number(100), "orders on a page"),
                Variable("ORDER_NOTE", .text, "what every order says"),
                Variable("ORDER_KEY", .text, secret: true, "signs orders"),
            ],
            statements: [Statement("find_order", "SELECT 1")], countedTable: countedTable, routes: routes)
    }

    private static func examine(
        _ service: Service, _ values: [String: String]
    ) -> (configuration: Configuration, errors: [ConfigurationError]) {
        let pairs = values.map { (AbsoluteConfigKey([$0.key]), ConfigValue(.string($0.value), isSecret: false)) }
        return Configuration.examine(
            for: service,
            from: ConfigReader(provider: InMemoryProvider(values: Dictionary(uniqueKeysWithValues: pairs))),
            needsDatabase: false, secretsDirectory: "/nowhere")
    }

    @Test func `its name is the prefix of the commit's variable, and the default of database and role`() throws {
        let configuration = try configuration(of: Self.orders())
        #expect(configuration.database.name == "orders" && configuration.database.user == "orders")
        #expect(configuration.lines.contains("ORDERS_COMMIT=unknown (default)"))
    }

    @Test func `its variables are checked, and shown after the standard ones`() {
        let (configuration, errors) = Self.examine(
            Self.orders(), ["ORDER_LIMIT": "0", "ORDER_NOTE": "thanks", "ORDER_KEY": "abc", "PORT": "x"])
        #expect(errors.map(\.variables) == [["PORT"], ["ORDER_LIMIT"]])
        #expect(
            configuration.lines.suffix(3) == [
                "ORDER_LIMIT=0 (bad)", "ORDER_NOTE=thanks", "ORDER_KEY=<redacted>",
            ])
    }

    @Test func `does not show the default of a secret`() {
        let key = Variable("ORDER_KEY", .text, default: "sesame", secret: true, "signs orders")
        let service = Service(name: "orders", version: "1.0.0", summary: "", variables: [key]) { _, _ in }
        #expect(Self.examine(service, [:]).configuration.lines.last == "ORDER_KEY=<redacted> (default)")
    }

    @Test func `finds only the values of its own variables in the context`() async throws {
        let seen = Mutex<[String]>([])
        let service = Self.orders { _, context in
            let values = context.values
            seen.withLock {
                $0 = [
                    "\(values.integer("ORDER_LIMIT"))", values.textIfSet("ORDER_NOTE") ?? "none",
                    values.secret("ORDER_KEY")?.exposed ?? "none",
                ]
            }
        }
        _ = Self.examine(service, ["ORDER_KEY": "abc"])
        #expect(seen.withLock { $0 } == ["100", "none", "abc"])
        await #expect(processExitsWith: .failure) {
            _ = try configuration(of: Service(name: "a", version: "1", summary: "") { _, _ in }).values.integer("PORT")
        }
    }

    @Test func `serves its routes, whose paths cannot be health paths`() {
        let service = Self.orders { app, _ in app.get("/orders/{id}") { (_, _: Int64) in .noContent } }
        #expect(Self.examine(service, ["HEALTH_PATHS": "/orders/7"]).errors.map(\.variables) == [["HEALTH_PATHS"]])
        #expect(Self.examine(service, ["HEALTH_PATHS": "/orders,/orders/7/lines"]).errors == [])
    }

    @Test func `leaves no descriptor open after learning its paths`() async {
        // In a separate process, because other tests open many descriptors.
        await #expect(processExitsWith: .success) {
            let before = CurrentProcess.openDescriptorCount
            for _ in 0..<50 { _ = ServiceTests.examine(ServiceTests.orders(), ["HEALTH_PATHS": "/orders"]) }
            // The test's own runner may open a few.
            precondition(CurrentProcess.openDescriptorCount < before + 50)
        }
    }

    @Test func `counts its own metrics beside the standard ones`() async throws {
        let service = Self.orders { app, context in
            let created = context.counter("orders_created_total", "Orders that were created.")
            app.get("/orders") { _ in
                created.increment()
                return .noContent
            }
        }
        try await withUnreachableDatabase(of: service) { app, _ in
            for _ in 0..<3 { _ = await app.respond(to: try Request(.get, "/orders")) }
            let metrics = await app.respond(to: try Request(.get, "/metrics"))
            #expect(
                metrics.text.contains(
                    "# HELP orders_created_total Orders that were created.\n# TYPE orders_created_total counter\n"
                        + "orders_created_total 3\n"))
        }
    }

    @Test func `is named by the root, with the standard links only`() async throws {
        try await withUnreachableDatabase(of: Self.orders()) { app, _ in
            let root = await app.respond(to: try Request(.get, "/"))
            #expect(root.text.hasPrefix(#"{"service":"orders","version":"3.1.4","#))
            #expect(
                root.text.hasSuffix(#""links":{"health":"/health","database":"/db","metrics":"/metrics"}}"#))
        }
    }

    @Test func `its rules for database errors take precedence`() async throws {
        let service = Self.orders { app, _ in
            app.onError(DatabaseError.self) { error, _ in
                error.errorClass == .result ? HTTPError(.conflict, "Odd.") : nil
            }
            app.get("/odd") { _ in throw DatabaseError.unexpectedResult("") }
            app.get("/away") { _ in throw DatabaseError.unavailable }
        }
        try await withUnreachableDatabase(of: service) { app, _ in
            let (odd, away) = (try Request(.get, "/odd"), try Request(.get, "/away"))
            #expect(await app.respond(to: odd).status == .conflict)
            #expect(await app.respond(to: away).status == .serviceUnavailable)
        }
    }

    @Test func `has its statements prepared, and those of the features it enables`() {
        #expect(Self.orders().statements.map(\.name) == ["find_order", "health", "database_status"])
        let keeping = Service(
            name: "a", version: "1", summary: "", migrations: IdempotencyKey.migrations, keepsIdempotencyKeys: true
        ) { _, _ in }
        #expect(keeping.statements.map(\.name) == ["expire_idempotency_keys", "health", "database_status"])
    }

    @Test(.needsServer, arguments: [nil, "orders"])
    func `shows the estimated count of a table, if one is named`(table: String?) throws {
        let schema = try EmptySchema()
        let session = try schema.session()
        try session.execute("CREATE TABLE orders (id int); ANALYZE orders")
        let rows = try session.execute(Self.orders(countedTable: table).databaseStatus.sql)
        #expect(rows.count == 1 && rows[0].count == 7)
        #expect(rows[0][5] == (table == nil ? nil : "0"))
    }

    @Test(.needsServer, arguments: [true, false])
    func `omits the count of a missing table and shows the rest`(isThere: Bool) async throws {
        let schema = try EmptySchema()
        if isThere { try schema.session().execute("CREATE TABLE orders (id int); ANALYZE orders") }
        let loop = try EventLoop(index: 0)
        try loop.start()
        defer { loop.stop() }
        let pool = Pool(
            on: loop, minimum: 1, maximum: 1, waitLimit: .milliseconds(3000), statementLimit: .milliseconds(5000),
            connector: Connector(
                options: { () throws(DatabaseError) in EmptySchema.options },
                prepare: { (session) throws(DatabaseError) in try schema.use(in: session) }), observe: { _ in })
        await pool.open()
        let rows = try await pool.query(Self.orders(countedTable: "orders").databaseStatus)
        var json = JSONWriter()
        try DatabaseStatus(countedTable: "orders", rows: rows, load: PoolLoad(), minimum: 1, maximum: 1)
            .write(to: &json)
        let text = String(decoding: json.bytes, as: UTF8.self)
        #expect(text.contains(#","estimated_orders":\#(isThere ? "0" : "null"),"is_replica":"#))
        await pool.close(within: .milliseconds(1000))
    }

    @Test(arguments: ["", "Orders", "1st", "_a", "order-lines", "a b", "ä", String(repeating: "a", count: 41)])
    func `traps on a name that is invalid elsewhere`(name: String) async {
        await #expect(processExitsWith: .failure) { [name] in
            _ = Service(name: name, version: "1", summary: "") { _, _ in }
        }
    }

    @Test func `its migration lock is its name in ASCII`() {
        #expect(Migrations.lockKey(of: "items") == 0x69_74_65_6D_73)
        #expect(Migrations.lockKey(of: "a_longer_name") == Migrations.lockKey(of: "ger_name"))
    }
}
