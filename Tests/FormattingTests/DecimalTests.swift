import Formatting
import Testing

struct DecimalTests {
    @Test(arguments: [
        0, 1, -1, 9, 10, -10, 99, 100, 12_345_678, Int64.max, Int64.min, Int64.min + 1, Int64(Int32.max),
        Int64(Int32.min),
    ])
    func `writes a signed number as Swift does`(value: Int64) {
        #expect(text { $0.append(decimal: value) } == String(value))
        #expect(text { $0.append(decimal: Int(value)) } == String(value))
    }

    @Test func `writes every power of ten and its neighbours`() {
        var power: UInt64 = 1
        while true {
            for value in [power - 1, power, power + 1] { #expect(text { $0.append(decimal: value) } == String(value)) }
            let (next, overflow) = power.multipliedReportingOverflow(by: 10)
            if overflow { break }
            power = next
        }
        #expect(text { $0.append(decimal: UInt64.max) } == "18446744073709551615")
    }

    @Test func `writes random numbers as Swift does`() {
        var generator = SeededGenerator(state: 1)
        for _ in 0..<10_000 {
            // Shifted, so that every length is equally likely.
            let value = Int64(bitPattern: generator.next()) >> Int64.random(in: 0..<64, using: &generator)
            #expect(text { $0.append(decimal: value) } == String(value))
        }
    }

    @Test func `appends to existing bytes`() {
        #expect(
            text {
                $0.append(literal: "n=")
                $0.append(decimal: 42)
                $0.append(literal: "")
                $0.append(literal: ";")
            } == "n=42;")
    }

    @Test(arguments: [
        (0, 0, "0"), (0, 1, "0"), (0, 3, "000"), (7, 2, "07"), (42, 2, "42"), (42, 1, "42"), (42, 0, "42"),
        (999, 6, "000999"), (1_000_000, 6, "1000000"), (-7, 2, "-07"), (-42, 4, "-0042"), (-42, 1, "-42"),
        (Int.max, 4, "9223372036854775807"), (Int.min, 21, "-009223372036854775808"),
    ])
    func `pads with zeros to a width`(value: Int, width: Int, expected: String) {
        #expect(text { $0.append(decimal: value, width: width) } == expected)
    }

    @Test(arguments: [
        (UInt64(0), "0.000"), (999, "0.000"), (1000, "0.001"), (412_345, "0.412"), (999_999, "0.999"),
        (1_000_000, "1.000"),
        (12_034_567_890, "12034.567"), (UInt64.max, "18446744073709.551"),
    ])
    func `writes nanoseconds as milliseconds`(nanoseconds: UInt64, expected: String) {
        #expect(text { $0.append(millisecondsOf: nanoseconds) } == expected)
    }
}
