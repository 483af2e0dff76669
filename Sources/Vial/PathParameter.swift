/// A value that one segment of a path may have. What is none makes the route not match, so the answer is 404.
public protocol PathParameter {
    /// - Parameter segment: the percent-decoded bytes between two slashes, never empty.
    init?(segment: Span<UInt8>)
}

extension Int64: PathParameter {
    /// Decimal digits without sign and without leading zeros, so that every number has one path.
    public init?(segment: Span<UInt8>) {
        // Int64.max has 19 digits. Empty text, which is no segment, is no number either.
        guard segment.count >= 1 && segment.count <= 19, segment[0] != 0x30 || segment.count == 1 else { return nil }
        var value: Int64 = 0
        for index in segment.indices {
            let digit = segment[index] &- 0x30
            guard digit < 10 else { return nil }
            let (product, overflow) = value.multipliedReportingOverflow(by: 10)
            let (sum, carry) = product.addingReportingOverflow(Int64(digit))
            if overflow || carry { return nil }
            value = sum
        }
        self = value
    }
}

extension String: PathParameter {
    public init?(segment: Span<UInt8>) {
        // Copied before the call returns.
        guard let text = unsafe segment.withUnsafeBufferPointer({ unsafe String(validating: $0, as: UTF8.self) }) else {
            return nil
        }
        self = text
    }
}
