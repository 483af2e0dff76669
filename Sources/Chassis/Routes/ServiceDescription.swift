import Formatting
import HTTPTypes
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
    private let before: Mutex<[UInt8]>
    /// Number of changes of those members.
    private let changeCount = Atomic<Int>(0)
    private let start = EventLoop.monotonicNanoseconds()

    init(of service: Service, _ configuration: Configuration, instanceID: String) {
        self.service = service
        poolMinimum = configuration.database.poolMinimum
        poolMaximum = configuration.database.poolMaximum
        environment = configuration.environment
        before = Mutex(Self.beginning(service, environment, instanceID))
    }

    /// Changes the process's name from the next answer on.
    func changeInstance(to instanceID: String) {
        before.withLock { $0 = Self.beginning(service, environment, instanceID) }
        changeCount.wrappingAdd(1, ordering: .releasing)
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

    /// The members after the uptime's value: links to the other resources, on a port that serves them below `basePath`.
    private func links(basePath: String, hidesOperations: Bool) -> [UInt8] {
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

    /// As JSON, with the uptime in whole seconds.
    private func body(uptime: UInt64, links end: [UInt8]) -> [UInt8] {
        let beginning = before.withLock { $0 }
        var body: [UInt8] = []
        body.append(addingCapacity: beginning.count + 20 + end.count) { body in
            body.append(span: beginning.span)
            body.append(decimal: uptime)
            body.append(span: end.span)
        }
        return body
    }

    /// The answers of one loop, created again only when the uptime or the name changes. Used on that loop's thread
    /// only.
    @safe final class Cache: @unchecked Sendable {
        private let description: ServiceDescription
        private let links: [UInt8]
        private var uptime: UInt64 = 0
        private var changeCount = 0
        private var response: Response

        /// - Parameters:
        ///   - basePath: prefix of the port's paths.
        ///   - hidesOperations: whether the port does not serve `/db` and `/metrics`.
        init(_ description: ServiceDescription, basePath: String = "", hidesOperations: Bool = false) {
            self.description = description
            links = description.links(basePath: basePath, hidesOperations: hidesOperations)
            response = Response(
                status: .ok, contentType: "application/json", body: description.body(uptime: 0, links: links))
        }

        /// The answer to a request that arrived at this time of the monotonic clock.
        func answer(at now: UInt64) -> Answer {
            // A request that was never on a connection has no time.
            let uptime = now > description.start ? (now - description.start) / 1_000_000_000 : 0
            let changeCount = description.changeCount.load(ordering: .acquiring)
            if uptime != self.uptime || changeCount != self.changeCount {
                self.uptime = uptime
                self.changeCount = changeCount
                response.body = description.body(uptime: uptime, links: links)
            }
            return Answer(response)
        }
    }
}
