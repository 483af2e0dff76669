/// A decimal number of arbitrary precision; PostgreSQL's numeric (PostgreSQL documentation, §8.1.2). Trailing zeros are
/// kept: "12.30" stays "12.30" and is not equal to "12.3". Includes NaN and, from PostgreSQL 14 on, the infinities.
///
/// It stores the text and has no arithmetic: calculate in SQL or with a library.
///
/// JSON: a string, `"12.30"`, because neither `JSONEncoder` nor most clients keep the precision of a JSON number.
/// Decoding a JSON number is an error.
public struct ExactDecimal: Hashable, Sendable {
    /// PostgreSQL's limits on digits before and after the point.
    static let (wholeDigitLimit, fractionDigitLimit) = (131_072, 16_383)

    /// Not a number; equal to itself, as in PostgreSQL.
    public static let nan = ExactDecimal(known: "NaN")
    /// Greater than every other number.
    public static let infinity = ExactDecimal(known: "Infinity")
    /// Less than every other number.
    public static let negativeInfinity = ExactDecimal(known: "-Infinity")

    private let text: String

    private init(known text: String) {
        self.text = text
    }

    /// ASCII digits without sign and point.
    ///
    /// - Parameter whole: leading zeros are dropped.
    init(isNegative: Bool, whole: some Sequence<UInt8>, fraction: some Sequence<UInt8>) {
        var bytes = [UInt8](whole.drop { $0 == 0x30 })
        if bytes.isEmpty { bytes.append(0x30) }
        let wholeCount = bytes.count
        bytes += fraction
        // There is no negative zero.
        let isZero = bytes.allSatisfy { $0 == 0x30 }
        if bytes.count > wholeCount { bytes.insert(0x2E, at: wholeCount) }
        if isNegative && !isZero { bytes.insert(0x2D, at: 0) }
        text = String(decoding: bytes, as: UTF8.self)
    }

    /// An integer.
    public init(_ number: some FixedWidthInteger) {
        text = number.description
    }

    /// Whether it is neither NaN nor an infinity.
    public var isFinite: Bool { self != .nan && self != .infinity && self != .negativeInfinity }

    /// Whether it is below zero.
    public var isNegative: Bool { text.utf8.first == 0x2D }

    /// The digits before and after the point, as ASCII. Only for finite numbers.
    var digits: (whole: ArraySlice<UInt8>, fraction: ArraySlice<UInt8>) {
        let digits = [UInt8](text.utf8)[(isNegative ? 1 : 0)...]
        guard let point = digits.firstIndex(of: 0x2E) else { return (digits, []) }
        return (digits[..<point], digits[(point + 1)...])
    }
}

extension ExactDecimal: LosslessStringConvertible {
    /// Digits with an optional sign and at most one point: "12.30", "-.5", "+7"; or "NaN", "Infinity", "-Infinity". No
    /// exponent, no spaces, and no more digits than PostgreSQL accepts.
    public init?(_ text: String) {
        if let special = [Self.nan, .infinity, .negativeInfinity].first(where: { $0.text == text }) {
            self = special
            return
        }
        var digits = Array(text.utf8)[...]
        let isNegative = digits.first == 0x2D
        if isNegative || digits.first == 0x2B { digits.removeFirst() }
        let point = digits.firstIndex(of: 0x2E) ?? digits.endIndex
        let (whole, fraction) = (digits[..<point], digits[point...].dropFirst())
        guard whole.count + fraction.count > 0, fraction.count <= Self.fractionDigitLimit,
            (whole.drop { $0 == 0x30 }).count <= Self.wholeDigitLimit,
            whole.allSatisfy(\.isDigit), fraction.allSatisfy(\.isDigit)
        else { return nil }
        self.init(isNegative: isNegative, whole: whole, fraction: fraction)
    }

    /// As PostgreSQL writes it: "-12.30", "0.5", "NaN", "Infinity".
    public var description: String { text }
}

extension ExactDecimal: Codable {
    /// - Throws: `DecodingError` if the value is not a string that `init(_:)` accepts.
    public init(from decoder: any Decoder) throws {
        self = try decoder.value(ofText: "a decimal number, as a string")
    }

    /// Writes a string.
    public func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        try container.encode(text)
    }
}

extension Decoder {
    /// Decodes a string and converts it.
    func value<Value: LosslessStringConvertible>(ofText what: String) throws -> Value {
        let container = try singleValueContainer()
        guard let value = Value(try container.decode(String.self)) else {
            throw DecodingError.dataCorruptedError(in: container, debugDescription: "not \(what)")
        }
        return value
    }
}
