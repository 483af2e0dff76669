import Formatting

/// Renders instants as `2024-11-01T12:00:00.123Z`. It keeps the last one, so that within a second only the milliseconds
/// are written again.
public struct LogStamp: Sendable {
    private var second: Int?
    private var text = InlineArray<24, UInt8>(repeating: 0)

    public init() {}

    /// Appends the instant, truncated to milliseconds; 24 bytes.
    ///
    /// - Parameters:
    ///   - seconds: since 1970-01-01T00:00:00Z, in the years 0 to 9999.
    ///   - nanoseconds: 0 ..< 1,000,000,000 beyond `seconds`.
    public mutating func append(to output: inout OutputSpan<UInt8>, seconds: Int, nanoseconds: Int) {
        if seconds != second { render(second: seconds) }
        let milliseconds = nanoseconds / 1_000_000
        text[20] = 0x30 + UInt8(milliseconds / 100)
        text[21] = 0x30 + UInt8(milliseconds / 10 % 10)
        text[22] = 0x30 + UInt8(milliseconds % 10)
        output.append(span: text.span)
    }

    private mutating func render(second: Int) {
        self.second = second
        var rendered: [UInt8] = []
        rendered.append(dateTime: CivilTime(secondsSinceEpoch: second))
        rendered.append(literal: ".000Z")
        precondition(rendered.count == text.count, "the clock is outside the years 0 to 9999")
        for index in rendered.indices { text[index] = rendered[index] }
    }
}
