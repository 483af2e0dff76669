import Synchronization

/// All metrics of the process, by name.
///
/// `counter`, `gauge` and `histogram` create a new cell at each call; cells with the same name and labels are summed at
/// each scrape. Each event loop creates its own cells once and keeps them. Cells and closures are never removed. Any
/// thread may call.
///
/// All functions trap when a name or label is invalid in Prometheus, when a counter's name does not end in `_total` or
/// another metric's does, and when a name is repeated with another type, help text or bucket set.
public final class Registry: Sendable {
    /// A label set and its value, read at each scrape.
    public struct Sample: Sendable {
        public var labels: [(String, String)]
        public var value: Double

        public init(_ value: Double, labels: [(String, String)] = []) {
            self.labels = labels
            self.value = value
        }
    }

    /// The type of a closure's values.
    public enum CollectedType: Sendable {
        case counter, gauge
    }

    /// By name, without a counter's `_total`.
    private struct Families {
        var registered: [String: Family] = [:]
        /// Families whose first cell comes later.
        var reserved: [String: Family] = [:]

        /// The family of this name, or a new one. Traps in every build, naming it, when it exists with other
        /// properties.
        func family(_ name: String, _ type: Family.Kind, _ help: String) -> Family {
            let base = Family.baseName(name, type)
            let family = registered[base] ?? reserved[base] ?? Family(name: base, kind: type, help: help)
            guard family.kind == type else { fatalError("\(name) is registered with another type or other buckets") }
            guard family.help == help else { fatalError("\(name) is registered with another help text") }
            return family
        }
    }

    private let families = Mutex(Families())

    public init() {}

    /// Reserves a counter's name and help text; it is exposed when it has its first cell.
    public func reserveCounter(_ name: String, help: String) {
        reserve(name, .counter, help)
    }

    /// Reserves a histogram's name and help text; it is exposed when it has its first cell.
    public func reserveHistogram(_ name: String, help: String, buckets: Histogram.Buckets = .latency) {
        reserve(name, .histogram(buckets), help)
    }

    /// A new cell with the value 0.
    public func counter(_ name: String, help: String, labels: [(String, String)] = []) -> Counter {
        let cell = Counter()
        register(name, .counter, help) { $0.counters[LabelSet(labels), default: []].append(cell) }
        return cell
    }

    /// A new cell with the value 0.
    public func gauge(_ name: String, help: String, labels: [(String, String)] = []) -> Gauge {
        let cell = Gauge()
        register(name, .gauge, help) { $0.gauges[LabelSet(labels), default: []].append(cell) }
        return cell
    }

    /// A new cell without observations. The name should end in `_seconds`, the exposed unit.
    public func histogram(
        _ name: String, help: String, labels: [(String, String)] = [], buckets: Histogram.Buckets = .latency
    ) -> Histogram {
        let cell = Histogram(buckets)
        precondition(!labels.contains { $0.0 == "le" }, "a histogram writes the label le itself")
        register(name, .histogram(buckets), help) { $0.histograms[LabelSet(labels), default: []].append(cell) }
        return cell
    }

    /// Calls `read` at each scrape, on the scraping thread; nil omits the sample.
    public func collect(
        _ name: String, _ type: CollectedType, help: String, labels: [(String, String)] = [],
        _ read: @escaping @Sendable () -> Double?
    ) {
        let labels = LabelSet(labels)
        register(name, type == .counter ? .counter : .gauge, help) { family in
            family.collectors.append { read().map { [(labels, $0)] } ?? [] }
        }
    }

    /// Calls `read` at each scrape, on the scraping thread.
    public func collect(
        _ name: String, _ type: CollectedType, help: String, samples read: @escaping @Sendable () -> [Sample]
    ) {
        register(name, type == .counter ? .counter : .gauge, help) { family in
            family.collectors.append { read().map { (LabelSet($0.labels), $0.value) } }
        }
    }

    /// The registered families, sorted by name. Values are not read yet, so that closures run outside the lock.
    var snapshot: [Family] {
        families.withLock { Array($0.registered.values) }.sorted { $0.name < $1.name }
    }

    private func register(_ name: String, _ type: Family.Kind, _ help: String, _ add: (inout Family) -> Void) {
        families.withLock { families in
            var family = families.family(name, type, help)
            add(&family)
            families.registered[family.name] = family
        }
    }

    private func reserve(_ name: String, _ type: Family.Kind, _ help: String) {
        families.withLock { families in
            let family = families.family(name, type, help)
            families.reserved[family.name] = family
        }
    }
}
