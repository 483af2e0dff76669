import Formatting
import HTTPTypes
import Reactor
import Vial

/// What `/` tells about the process. Only the uptime changes, so the rest is written once.
public struct ServiceDescription: Sendable {
    let poolMinimum: Int
    let poolMaximum: Int
    /// The members before and after the uptime's value.
    private let before: [UInt8]
    private let after: [UInt8]
    private let start = EventLoop.monotonicNanoseconds()

    public init(_ configuration: Configuration, instanceID: String) {
        poolMinimum = configuration.database.poolMinimum
        poolMaximum = configuration.database.poolMaximum
        let basePath = configuration.http.basePath
        var json = JSONWriter()
        json.beginObject()
        json.key("service")
        json.value("items")
        json.key("version")
        json.value(BuildInfo.version)
        json.key("environment")
        json.value(configuration.environment)
        json.key("instance_id")
        json.value(instanceID)
        json.key("uptime_seconds")
        before = json.bytes
        json = JSONWriter()
        json.key("links")
        json.beginObject()
        json.key("items")
        json.value(basePath + "/api/items")
        json.key("health")
        json.value(basePath + "/health")
        // With an admin port these are not found where clients are served.
        if configuration.http.adminPort == nil {
            json.key("database")
            json.value(basePath + "/db")
            json.key("metrics")
            json.value(basePath + "/metrics")
        }
        json.endObject()
        json.endObject()
        after = [UInt8(ascii: ",")] + json.bytes
    }

    /// As JSON, with the uptime in whole seconds.
    private func body(uptime: UInt64) -> [UInt8] {
        var body: [UInt8] = []
        body.append(addingCapacity: before.count + 20 + after.count) { body in
            body.append(span: before.span)
            body.append(decimal: uptime)
            body.append(span: after.span)
        }
        return body
    }

    /// The answers of one loop, made anew when the uptime changes: 700 instructions of a request's 8,900 otherwise. Used
    /// on that loop's thread only.
    @safe final class Answer: @unchecked Sendable {
        private let description: ServiceDescription
        private var uptime: UInt64 = 0
        private var response: Response

        init(_ description: ServiceDescription) {
            self.description = description
            response = Response(status: .ok, contentType: "application/json", body: description.body(uptime: 0))
        }

        /// The answer to a request that came at this moment of the monotonic clock.
        func response(at now: UInt64) -> Response {
            // A request that never was on a connection has no moment.
            let uptime = now > description.start ? (now - description.start) / 1_000_000_000 : 0
            if uptime != self.uptime {
                self.uptime = uptime
                response.body = description.body(uptime: uptime)
            }
            return response
        }
    }
}
