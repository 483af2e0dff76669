extension Exposition {
    /// The two text formats.
    public enum Format: Equatable, Sendable {
        /// Prometheus text 0.0.4.
        case text
        /// OpenMetrics 1.0.
        case openMetrics

        /// The exact `Content-Type`; Prometheus 3 refuses a scrape whose type it does not know.
        public var contentType: StaticString {
            switch self {
            case .text: "text/plain; version=0.0.4; charset=utf-8"
            case .openMetrics: "application/openmetrics-text; version=1.0.0; charset=utf-8"
            }
        }
    }

    /// The format of the answer to a request with this `Accept` field (RFC 9110 §12.5.1).
    ///
    /// OpenMetrics only when the field names it, in version 1.0.0 or without a version, with a weight that is neither
    /// zero nor below that of text/plain. In all other cases text, even when nothing in the field matches it.
    public static func format(forAccept accept: String?) -> Format {
        guard let accept else { return .text }
        var openMetrics = 0
        var plain: Int?
        var anyText: Int?
        var anything: Int?
        for range in accept.split(separator: ",").map(MediaRange.init) {
            switch range.type {
            case "application/openmetrics-text":
                if range.version == nil || range.version == "1.0.0" { openMetrics = max(openMetrics, range.weight) }
            case "text/plain": plain = max(plain ?? 0, range.weight)
            case "text/*": anyText = range.weight
            case "*/*": anything = range.weight
            default: continue
            }
        }
        // The most specific range that includes text/plain decides its weight.
        return openMetrics > 0 && openMetrics >= plain ?? anyText ?? anything ?? 0 ? .openMetrics : .text
    }
}

/// One element of an `Accept` field.
private struct MediaRange {
    /// In lower case.
    let type: String
    let version: String?
    /// In thousandths; 0 when it is malformed.
    let weight: Int

    init(_ text: Substring) {
        let parts = text.split(separator: ";", omittingEmptySubsequences: false).map { $0.trimmed() }
        var version: String?
        var weight = 1000
        for parameter in parts.dropFirst() {
            let pair = parameter.split(separator: "=", maxSplits: 1).map { $0.trimmed() }
            guard pair.count == 2 else { continue }
            switch pair[0].lowercased() {
            case "q": weight = Self.thousandths(pair[1])
            case "version": version = pair[1].filter { $0 != "\"" }
            default: continue
            }
        }
        type = parts[0].lowercased()
        self.version = version
        self.weight = weight
    }

    /// The weight of RFC 9110 §12.4.2: `0` or `1`, a dot, at most three digits.
    private static func thousandths(_ text: Substring) -> Int {
        let parts = text.split(separator: ".", maxSplits: 1, omittingEmptySubsequences: false)
        let fraction = parts.count == 2 ? parts[1] : ""
        guard parts[0] == "0" || parts[0] == "1", fraction.utf8.count <= 3,
            fraction.utf8.allSatisfy({ (0x30...0x39).contains($0) })
        else { return 0 }
        let digits = fraction + String(repeating: "0", count: 3 - fraction.utf8.count)
        return min(1000, (parts[0] == "1" ? 1000 : 0) + (Int(digits) ?? 0))
    }
}

extension Substring {
    /// Without the spaces and tabs around it.
    fileprivate func trimmed() -> Substring {
        var text = self
        while let first = text.first, first == " " || first == "\t" { text.removeFirst() }
        while let last = text.last, last == " " || last == "\t" { text.removeLast() }
        return text
    }
}
