import Formatting

/// Renders a registry as text for Prometheus and compatible scrapers.
///
/// Families are sorted by name and contiguous, their samples are sorted by label; a histogram's `+Inf` bucket equals
/// its `_count`. `le` has OpenMetrics' canonical form in both formats, so that series keep their names.
public enum Exposition {
    /// All metrics as of now. Runs the registry's closures on this thread.
    public static func render(_ registry: Registry, as format: Format) -> [UInt8] {
        var text: [UInt8] = []
        for family in registry.snapshot {
            switch family.kind {
            case .counter: append(family, type: "counter", suffix: "_total", to: &text, as: format)
            case .gauge: append(family, type: "gauge", suffix: "", to: &text, as: format)
            case .histogram(let buckets): append(family, buckets, to: &text, as: format)
            }
        }
        if format == .openMetrics { text.append(literal: "# EOF\n") }
        return text
    }

    private static func append(
        _ family: Family, type: String, suffix: String, to text: inout [UInt8], as format: Format
    ) {
        let name = family.name + suffix
        append(headOf: family, shownAs: format == .openMetrics ? family.name : name, type: type, to: &text, as: format)
        for (labels, value) in family.values() {
            text.append(contentsOf: name.utf8)
            if !labels.text.isEmpty { text.append(contentsOf: "{\(labels.text)}".utf8) }
            text.append(0x20)
            text.append(metric: value)
            text.append(0x0A)
        }
    }

    private static func append(
        _ family: Family, _ buckets: Histogram.Buckets, to text: inout [UInt8], as format: Format
    ) {
        append(headOf: family, shownAs: family.name, type: "histogram", to: &text, as: format)
        for (labels, total) in family.totals(buckets) {
            let inFront = labels.text.isEmpty ? "" : labels.text + ","
            let braced = labels.text.isEmpty ? "" : "{\(labels.text)}"
            var count: UInt64 = 0
            for (index, own) in total.counts.enumerated() {
                count += own
                text.append(contentsOf: "\(family.name)_bucket{\(inFront)le=\"".utf8)
                if index < buckets.bounds.count {
                    text.append(secondsOf: buckets.bounds[index])
                } else {
                    text.append(literal: "+Inf")
                }
                text.append(literal: "\"} ")
                text.append(decimal: count)
                text.append(0x0A)
            }
            text.append(contentsOf: "\(family.name)_sum\(braced) ".utf8)
            text.append(secondsOf: total.sum)
            text.append(contentsOf: "\n\(family.name)_count\(braced) \(count)\n".utf8)
        }
    }

    private static func append(
        headOf family: Family, shownAs name: String, type: String, to text: inout [UInt8], as format: Format
    ) {
        // Only OpenMetrics escapes the quote in a help text.
        let help = family.help.escapedForExposition(quotes: format == .openMetrics)
        text.append(contentsOf: "# HELP \(name) \(help)\n# TYPE \(name) \(type)\n".utf8)
        guard format == .openMetrics else { return }
        for unit in ["seconds", "bytes"] where name.hasSuffix("_\(unit)") {
            text.append(contentsOf: "# UNIT \(name) \(unit)\n".utf8)
        }
    }
}

extension [UInt8] {
    /// Appends nanoseconds as seconds, exactly, with at least one decimal: `0.0005`, `1.0`.
    fileprivate mutating func append(secondsOf nanoseconds: UInt64) {
        append(decimal: nanoseconds / 1_000_000_000)
        append(0x2E)
        append(decimal: Int(nanoseconds % 1_000_000_000), width: 9)
        for _ in 0..<8 where last == 0x30 { removeLast() }
    }

    /// Appends a number in the form that Go parses; a whole number that a Double represents exactly has no decimals.
    fileprivate mutating func append(metric value: Double) {
        if let whole = Int64(exactly: value), whole.magnitude < 1 << 53 {
            append(decimal: whole)
        } else if value.isNaN {
            append(literal: "NaN")
        } else if value.isInfinite {
            append(literal: value < 0 ? "-Inf" : "+Inf")
        } else {
            append(contentsOf: "\(value)".utf8)
        }
    }
}
