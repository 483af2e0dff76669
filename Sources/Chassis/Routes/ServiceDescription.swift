import Formatting
import HTTP1
import HTTPTypes
import Platform
import Reactor
import Synchronization
import Vial

/// The answer of `/`. Only the uptime and, during the start, the instance's name change, so the rest is written once.
final class ServiceDescription: Sendable {
    let poolMinimum: Int
    let poolMaximum: Int
    private let service: Service
    private let environment: String
    /// The members before the uptime's value.
    private let beginning: Mutex<[UInt8]>
    private let start = Instant.now

    init(of service: Service, _ configuration: Configuration, instanceID: String) {
        self.service = service
        poolMinimum = configuration.database.poolMinimum
        poolMaximum = configuration.database.poolMaximum
        environment = configuration.environment
        beginning = Mutex(Self.beginning(service, environment, instanceID))
    }

    /// Changes the process's name from the next answer on.
    func changeInstance(to instanceID: String) {
        beginning.withLock { $0 = Self.beginning(service, environment, instanceID) }
    }

    /// The answer to a request that arrived at this time of the monotonic clock.
    ///
    /// - Parameters:
    ///   - links: as made by `links`.
    ///   - fields: of the answer.
    func answer(at now: Instant, links: [UInt8], fields: ResponseFields = ResponseFields()) -> Answer {
        let beginning = beginning.withLock { $0 }
        // A request that was never on a connection has no time.
        let uptime = now.nanoseconds(since: start) / 1_000_000_000
        var body: [UInt8] = []
        body.append(addingCapacity: beginning.count + DecimalText.mostByteCount + links.count) { body in
            body.append(span: beginning.span)
            body.append(decimal: uptime)
            body.append(span: links.span)
        }
        var response = Response(status: .ok, contentType: "application/json", body: body)
        response.fields = fields
        return Answer(response)
    }

    private static func beginning(_ service: Service, _ environment: String, _ instanceID: String) -> [UInt8] {
        var json = JSONWriter()
        json.beginObject()
        json.key("service")
        json.value(service.name)
        json.key("version")
        json.value(service.version)
        json.key("environment")
        json.value(environment)
        json.key("instance_id")
        json.value(instanceID)
        json.key("uptime_seconds")
        return json.bytes
    }

    /// The members after the uptime's value: links to the other resources.
    ///
    /// - Parameters:
    ///   - basePath: prefix of the port's paths.
    ///   - hidesOperations: whether the port does not serve `/db` and `/metrics`.
    func links(basePath: String, hidesOperations: Bool) -> [UInt8] {
        var json = JSONWriter()
        json.key("links")
        json.beginObject()
        for link in service.links {
            json.key(named: link.name)
            json.value(basePath + link.path)
        }
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
        return [UInt8(ascii: ",")] + json.bytes
    }
}
