import HTTP1
import Telemetry
import Vial

/// `http_requests_total` and `http_request_duration_seconds` of one loop. Their label sets are bounded: routes are the
/// registered patterns, methods a fixed list, statuses those that the server answers.
final class RequestMetrics {
    static let unmatched = "unmatched"

    private static let durationName = "http_request_duration_seconds"
    private static let durationHelp = "From the reading of a request's head to its answer."
    private static let countName = "http_requests_total"
    private static let countHelp = "Requests that were answered."

    /// The methods with series of their own: those of `KnownMethod` in its order, without the last two. Any other is `other`.
    private static let methods = [KnownMethod.get, .head, .post, .put, .patch, .delete, .options]
    private static let otherMethod = methods.count

    /// One route and method: created when it first occurs.
    private final class Series {
        private let duration: Histogram
        private let registry: Registry
        private let labels: [(String, String)]
        private var counters: [(status: Int, requests: Counter)] = []

        init(_ registry: Registry, method: String, route: String) {
            self.registry = registry
            labels = [("method", method), ("route", route)]
            duration = registry.histogram(durationName, help: durationHelp, labels: labels)
        }

        func observe(status: Int, nanoseconds: UInt64) {
            duration.observe(nanoseconds: nanoseconds)
            for index in counters.indices where counters[index].status == status {
                return counters[index].requests.increment()
            }
            let requests = registry.counter(
                countName, help: countHelp, labels: labels + [("status", String(status))])
            requests.increment()
            counters.append((status, requests))
        }
    }

    private let registry: Registry
    /// By route, the unmatched first, then by method, the other last.
    private var series: [Series?] = []

    init(_ registry: Registry) {
        self.registry = registry
        // Before the first request, so that no other metric takes the names.
        registry.reserveHistogram(Self.durationName, help: Self.durationHelp)
        registry.reserveCounter(Self.countName, help: Self.countHelp)
    }

    func observe(_ request: Request, status: Int, nanoseconds: UInt64) {
        let method = request.head.knownMethod.map { min(Int($0.rawValue), Self.otherMethod) } ?? Self.otherMethod
        series(request.route, method).observe(status: status, nanoseconds: nanoseconds)
    }

    private func series(_ route: Route?, _ method: Int) -> Series {
        let index = (route.map { $0.ordinal + 1 } ?? 0) * (Self.otherMethod + 1) + method
        while series.count <= index { series.append(nil) }
        if let known = series[index] { return known }
        let made = Series(registry, method: Self.name(method), route: route?.pattern ?? Self.unmatched)
        series[index] = made
        return made
    }

    private static func name(_ method: Int) -> String {
        method < methods.count ? methods[method].name.description : "other"
    }
}
