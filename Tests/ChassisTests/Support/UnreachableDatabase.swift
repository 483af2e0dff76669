import Configuration
import Postgres
import Reactor
import Telemetry
import Testing

@testable import Chassis
@testable import Vial

/// The configuration of a service from these variables, without a database.
func configuration(_ values: [String: String] = [:], of service: Service) throws -> Configuration {
    let pairs = values.map { (AbsoluteConfigKey([$0.key]), ConfigValue(.string($0.value), isSecret: false)) }
    let reader = ConfigReader(provider: InMemoryProvider(values: Dictionary(uniqueKeysWithValues: pairs)))
    return try Configuration.read(for: service, from: reader, needsDatabase: false, secretsDirectory: "/nowhere")
}

extension Response {
    var text: String { String(decoding: body, as: UTF8.self) }
}

extension Answer {
    /// The text of a finished response.
    var text: String {
        get throws {
            guard case .response(let response) = kind else { return try #require(nil, "the answer comes later") }
            return response.text
        }
    }
}

/// Runs `body` on the loop of a service's app whose database is unreachable.
func withUnreachableDatabase(
    of service: Service, basePath: String = "", hidesOperations: Bool = false, variables: [String: String] = [:],
    _ body: @escaping @Sendable (App, Drain) async throws -> Void
) async throws {
    let drain = Drain()
    try await withUnreachableRoutes(of: service, basePath: basePath, variables: variables, drain: drain) { routes in
        try await body(
            routes.app(basePath: basePath, healthPaths: ["/healthz"], hidesOperations: hidesOperations), drain)
    }
}

/// Runs `body` on the loop of a service's routes whose database is unreachable.
func withUnreachableRoutes(
    of service: Service, basePath: String = "", variables: [String: String] = [:], drain: Drain = Drain(),
    _ body: @escaping @Sendable (StandardRoutes) async throws -> Void
) async throws {
    let loop = try EventLoop(index: 0)
    let connector = Connector(options: { () throws(DatabaseError) in throw .connectFailed("refused") })
    let database = Database(on: [loop], options: .init(), connector: connector, observe: { _ in { _ in } })
    let pool = database.pool(for: loop)
    let configuration = try configuration(
        variables.merging(["ENVIRONMENT": "test", "BASE_PATH": basePath, "DB_POOL_MAX": "7"]) { given, _ in given },
        of: service)
    let routes = StandardRoutes(
        service: service,
        context: .init(
            pool: pool, values: configuration.values,
            requiresPreconditions: configuration.http.requiresPreconditions, registry: Registry()),
        database: database,
        health: LoopBound(
            handing: Health(of: service, on: loop, pool: pool, drain: drain, lastSeen: LastSeen(), grace: .zero),
            to: loop),
        description: ServiceDescription(of: service, configuration, instanceID: "i-1"),
        document: ServiceDocument(of: service))
    try loop.start()
    await database.open()
    let result = await Task(executorPreference: loop) { try await body(routes) }.result
    await pool.close(within: .milliseconds(0))
    loop.stop()
    try result.get()
}
