/// numeric, in the binary format of `numeric_send` and `numeric_recv` (src/backend/utils/adt/numeric.c): number of
/// groups, weight of the first group as a power of 10,000, sign, number of digits after the point, each 16 bits wide;
/// then the groups, each of four decimal digits.
extension ExactDecimal: ColumnValue, ArrayElement {
    private enum Sign {
        static let positive: UInt16 = 0x0000
        static let negative: UInt16 = 0x4000
        static let nan: UInt16 = 0xC000
        static let infinity: UInt16 = 0xD000
        static let negativeInfinity: UInt16 = 0xF000
    }

    public static var columnType: ColumnType { .numeric }

    public init(binary bytes: Span<UInt8>) throws(ColumnError) {
        guard bytes.count >= 8 else { throw .invalid("is no numeric") }
        let count = Int(bytes.number(at: 0, as: UInt16.self))
        let weight = Int(bytes.number(at: 2, as: Int16.self))
        let sign = bytes.number(at: 4, as: UInt16.self)
        let scale = Int(bytes.number(at: 6, as: UInt16.self))
        guard bytes.count == 8 + 2 * count, scale <= Self.fractionDigitLimit else { throw .invalid("is no numeric") }
        switch sign {
        case Sign.nan: self = .nan
        case Sign.infinity: self = .infinity
        case Sign.negativeInfinity: self = .negativeInfinity
        case Sign.positive, Sign.negative:
            var whole: [UInt8] = []
            var fraction: [UInt8] = []
            // Groups that are not sent are 0. The range covers all groups before and after the point.
            for exponent in stride(from: max(weight, -1), through: -((scale + 3) / 4), by: -1) {
                let index = weight - exponent
                let group = index >= 0 && index < count ? bytes.number(at: 8 + 2 * index, as: UInt16.self) : 0
                guard group < 10_000 else { throw .invalid("is no numeric") }
                let digits = [group / 1000, group / 100 % 10, group / 10 % 10, group % 10].lazy
                    .map { 0x30 + UInt8($0) }
                if exponent >= 0 { whole += digits } else { fraction += digits }
            }
            self.init(isNegative: sign == Sign.negative, whole: whole, fraction: fraction.prefix(scale))
        default: throw .invalid("is no numeric")
        }
    }

    public var parameter: Parameter {
        guard isFinite else {
            let sign = self == .nan ? Sign.nan : isNegative ? Sign.negativeInfinity : Sign.infinity
            return .bytes(Self.binary([], weight: 0, sign: sign, scale: 0))
        }
        let (whole, fraction) = digits
        let front = [UInt8](repeating: 0x30, count: (4 - whole.count % 4) % 4)
        let back = [UInt8](repeating: 0x30, count: (4 - fraction.count % 4) % 4)
        let padded = front + whole + fraction + back
        var groups = stride(from: 0, to: padded.count, by: 4).map { start in
            padded[start..<start + 4].reduce(0 as UInt16) { $0 * 10 + UInt16($1 - 0x30) }
        }[...]
        var weight = (front.count + whole.count) / 4 - 1
        while groups.first == 0 {
            groups.removeFirst()
            weight -= 1
        }
        while groups.last == 0 { groups.removeLast() }
        return .bytes(
            Self.binary(
                groups, weight: groups.isEmpty ? 0 : weight, sign: isNegative ? Sign.negative : Sign.positive,
                scale: fraction.count))
    }

    private static func binary(_ groups: ArraySlice<UInt16>, weight: Int, sign: UInt16, scale: Int) -> [UInt8] {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(8 + 2 * groups.count)
        // The limits on digits guarantee that each number fits.
        for number in [UInt16(groups.count), UInt16(bitPattern: Int16(weight)), sign, UInt16(scale)] + groups {
            Parameter.append(number, to: &bytes)
        }
        return bytes
    }
}
