import Configuration
import Glibc
import HTTP1
import HTTPTypes
import Postgres
import Reactor
import Telemetry
import Testing

@testable import Items
@testable import Vial

/// The configuration that these variables give, without a database.
func configuration(_ values: [String: String] = [:]) throws -> Configuration {
    let pairs = values.map { (AbsoluteConfigKey([$0.key]), ConfigValue(.string($0.value), isSecret: false)) }
    let reader = ConfigReader(provider: InMemoryProvider(values: Dictionary(uniqueKeysWithValues: pairs)))
    return try Configuration.read(from: reader, needsDatabase: false, secretsDirectory: "/nowhere")
}

extension Response {
    var text: String { String(decoding: body, as: UTF8.self) }
}

extension Answer {
    /// The text of a response that is there.
    var text: String {
        get throws {
            guard case .response(let response) = kind else { return try #require(nil, "the answer comes later") }
            return response.text
        }
    }
}

/// Runs `body` on the loop of an application whose database cannot be reached.
func withUnreachableDatabase(
    basePath: String = "", hidesOperations: Bool = false, _ body: @escaping @Sendable (App, Drain) async throws -> Void
) async throws {
    let drain = Drain()
    try await withUnreachableServices(basePath: basePath, drain: drain) { services in
        let app = makeApp(
            services, basePath: basePath, healthPaths: ["/healthz"], hidesOperations: hidesOperations)
        try await body(app, drain)
    }
}

/// Runs `body` on the loop of services whose database cannot be reached.
func withUnreachableServices(
    basePath: String = "", drain: Drain = Drain(), _ body: @escaping @Sendable (Services) async throws -> Void
) async throws {
    let loop = try EventLoop(index: 0)
    let connector = Connector(options: { () throws(DatabaseError) in throw .connectFailed("refused") })
    let database = Database(on: [loop], options: .init(), connector: connector, observe: { _ in { _ in } })
    let pool = database.pool(for: loop)
    let services = Services(
        pool: pool, database: database,
        health: Health(on: loop, pool: pool, drain: drain, lastSeen: LastSeen(), graceMilliseconds: 0),
        registry: Registry(),
        service: ServiceDescription(
            try configuration(["ENVIRONMENT": "test", "BASE_PATH": basePath, "DB_POOL_MAX": "7"]), instanceID: "i-1"),
        itemCreated: {})
    try loop.start()
    await database.open()
    let result = await Task(executorPreference: loop) { try await body(services) }.result
    await pool.close(withinMilliseconds: 0)
    loop.stop()
    try result.get()
}

/// A pipe that takes log lines, as many as fit into its buffer.
struct LogPipe: ~Copyable {
    private let readEnd: FileDescriptor
    let writeEnd: FileDescriptor

    init() {
        var ends: [Int32] = [0, 0]
        // pipe(2) fills exactly two elements.
        let outcome = unsafe pipe(&ends)
        precondition(outcome == 0, "no pipe")
        readEnd = FileDescriptor(owning: ends[0])
        writeEnd = FileDescriptor(owning: ends[1])
    }

    /// What was written, line by line and without the timestamps; once, after everything was.
    func lines() -> [String] {
        _ = fcntl(readEnd.number, F_SETFL, O_NONBLOCK)
        var text: [UInt8] = []
        var chunk = [UInt8](repeating: 0, count: 65_536)
        while true {
            // At most so many bytes are written as the array has.
            let count = unsafe read(readEnd.number, &chunk, chunk.count)
            guard count > 0 else { break }
            text.append(contentsOf: chunk[..<count])
        }
        return String(decoding: text, as: UTF8.self).split(separator: "\n").map { line in
            "{" + line.dropFirst("{\"timestamp\":\"2024-11-01T12:00:00.123Z\",".utf8.count)
        }
    }
}
