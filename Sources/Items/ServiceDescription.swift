public import Formatting
import Reactor
public import Vial

/// What `/` tells about the process.
public struct ServiceDescription: JSONRepresentable, Sendable {
    let environment: String
    let instanceID: String
    let basePath: String
    /// Whether `/db` and `/metrics` are served on a port of their own.
    let hidesOperations: Bool
    let poolMinimum: Int
    let poolMaximum: Int
    private let start = EventLoop.monotonicNanoseconds()

    public init(_ configuration: Configuration, instanceID: String) {
        environment = configuration.environment
        self.instanceID = instanceID
        basePath = configuration.http.basePath
        hidesOperations = configuration.http.adminPort != nil
        poolMinimum = configuration.database.poolMinimum
        poolMaximum = configuration.database.poolMaximum
    }

    public func write(to json: inout JSONWriter) throws {
        json.beginObject()
        json.key("service")
        json.value("items")
        json.key("version")
        json.value(BuildInfo.version)
        json.key("environment")
        json.value(environment)
        json.key("instance_id")
        json.value(instanceID)
        json.key("uptime_seconds")
        json.value(Int64((EventLoop.monotonicNanoseconds() - start) / 1_000_000_000))
        json.key("links")
        json.beginObject()
        json.key("items")
        json.value(basePath + "/api/items")
        json.key("health")
        json.value(basePath + "/health")
        if !hidesOperations {
            json.key("database")
            json.value(basePath + "/db")
            json.key("metrics")
            json.value(basePath + "/metrics")
        }
        json.endObject()
        json.endObject()
    }
}
