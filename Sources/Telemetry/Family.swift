/// All metrics of one name.
struct Family {
    enum Kind: Equatable {
        case counter, gauge
        case histogram(Histogram.Buckets)
    }

    /// Without a counter's `_total`.
    let name: String
    let kind: Kind
    let help: String
    var counters: [LabelSet: [Counter]] = [:]
    var gauges: [LabelSet: [Gauge]] = [:]
    var histograms: [LabelSet: [Histogram]] = [:]
    var collectors: [@Sendable () -> [(LabelSet, Double)]] = []

    init(name: String, kind: Kind, help: String) {
        precondition(isMetricName(name, allowingColon: true), "\(name) is not a metric name")
        self.name = name
        self.kind = kind
        self.help = help
    }

    /// The name without the suffix that its type requires. OpenMetrics reserves the other suffixes for its own samples.
    static func baseName(_ name: String, _ kind: Kind) -> String {
        if kind == .counter {
            precondition(name.hasSuffix("_total"), "the counter \(name) must end in _total")
            return String(name.dropLast(6))
        }
        let isFree = !["_total", "_count", "_sum", "_bucket", "_created"].contains { name.hasSuffix($0) }
        precondition(isFree, "\(name) ends like a sample of a different type")
        return name
    }

    /// The values of a counter or gauge, read now and summed by label set, in the order of the labels.
    func values() -> [(LabelSet, Double)] {
        var values: [LabelSet: Double] = [:]
        for (labels, cells) in counters { values[labels, default: 0] += Double(cells.reduce(0) { $0 &+ $1.value }) }
        for (labels, cells) in gauges { values[labels, default: 0] += Double(cells.reduce(0) { $0 &+ $1.value }) }
        for collector in collectors {
            for (labels, value) in collector() { values[labels, default: 0] += value }
        }
        return values.map { ($0, $1) }.sorted { $0.0 < $1.0 }
    }

    /// The totals of a histogram, read now and summed by label set, in the order of the labels.
    func totals(_ buckets: Histogram.Buckets) -> [(LabelSet, Histogram.Total)] {
        histograms.map { labels, cells in
            var total = Histogram.Total(buckets)
            for cell in cells { cell.add(to: &total) }
            return (labels, total)
        }.sorted { $0.0 < $1.0 }
    }
}

/// Labels as text, without the braces: `method="GET",route="/"`. Sorted by name, so that the given order makes no
/// difference.
struct LabelSet: Hashable, Comparable {
    let text: String

    /// Traps when a name is invalid, reserved or repeated.
    init(_ labels: [(String, String)]) {
        var previous = ""
        text = labels.sorted { $0.0 < $1.0 }.map { name, value in
            precondition(isMetricName(name, allowingColon: false), "\(name) is not a label name")
            precondition(!name.hasPrefix("__"), "the label name \(name) is reserved")
            precondition(name != previous, "the label \(name) is given twice")
            previous = name
            return "\(name)=\"\(value.escapedForExposition(quotes: true))\""
        }.joined(separator: ",")
    }

    static func < (left: LabelSet, right: LabelSet) -> Bool { left.text < right.text }
}

extension String {
    /// Backslash and newline, and the quote in a label's value, become `\\`, `\n` and `\"`.
    func escapedForExposition(quotes: Bool) -> String {
        var escaped = ""
        for character in unicodeScalars {
            switch character {
            case "\\": escaped += "\\\\"
            case "\n": escaped += "\\n"
            case "\"" where quotes: escaped += "\\\""
            default: escaped.unicodeScalars.append(character)
            }
        }
        return escaped
    }
}

/// `[a-zA-Z_:][a-zA-Z0-9_:]*`, for labels without the colon.
private func isMetricName(_ name: String, allowingColon: Bool) -> Bool {
    guard let first = name.utf8.first, !(0x30...0x39).contains(first) else { return false }
    return name.utf8.allSatisfy { byte in
        switch byte {
        case 0x30...0x39, 0x41...0x5A, 0x61...0x7A, 0x5F: true
        case 0x3A: allowingColon
        default: false
        }
    }
}
