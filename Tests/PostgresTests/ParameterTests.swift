import Testing

@testable import Postgres

struct ParameterTests {
    private func binary(_ parameter: Parameter) -> [UInt8] {
        var bytes: [UInt8] = []
        parameter.append(to: &bytes)
        return bytes
    }

    @Test(
        arguments: [
            (Parameter.null, []), (.int64(0), [0, 0, 0, 0, 0, 0, 0, 0]), (.int64(1), [0, 0, 0, 0, 0, 0, 0, 1]),
            (.int64(-1), [255, 255, 255, 255, 255, 255, 255, 255]),
            (.int64(.max), [127, 255, 255, 255, 255, 255, 255, 255]),
            (.int64(.min), [128, 0, 0, 0, 0, 0, 0, 0]), (.int64(0x0102_0304_0506_0708), [1, 2, 3, 4, 5, 6, 7, 8]),
            (.int32(0x0102_0304), [1, 2, 3, 4]), (.int32(.min), [128, 0, 0, 0]), (.int32(-1), [255, 255, 255, 255]),
            (.bool(true), [1]), (.bool(false), [0]), (.text(""), []), (.text("é'"), [0xC3, 0xA9, 0x27]),
            (.bytes([0, 255]), [0, 255]),
            (
                .int64s([7, -1]),
                [0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 20, 0, 0, 0, 2, 0, 0, 0, 1, 0, 0, 0, 8, 0, 0, 0, 0, 0, 0, 0, 7]
                    + [0, 0, 0, 8] + [UInt8](repeating: 255, count: 8)
            ),
            (
                .texts(["é", ""]),
                [0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 25, 0, 0, 0, 2, 0, 0, 0, 1, 0, 0, 0, 2, 0xC3, 0xA9, 0, 0, 0, 0]
            ),
            (
                .texts([nil, "a"]),
                [0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0, 25, 0, 0, 0, 2, 0, 0, 0, 1, 255, 255, 255, 255, 0, 0, 0, 1, 0x61]
            ),
            (.int64s([]), [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 20]), (.texts([]), [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 25]),
            (.value(258 as Int16), [1, 2]), (.value(-1 as Int16), [255, 255]),
            (.value(1.0), [63, 240, 0, 0, 0, 0, 0, 0]),
            (.value([] as [String?]), [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 25]),
            (
                .value([nil] as [Int64?]),
                [0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0, 20, 0, 0, 0, 1, 0, 0, 0, 1, 255, 255, 255, 255]
            ),
        ] as [(Parameter, [UInt8])])
    func `parameters have PostgreSQL's binary format`(parameter: Parameter, expected: [UInt8]) {
        #expect(binary(parameter) == expected)
    }

    @Test func `optional texts make an array`() {
        #expect(Parameter.texts(of: [.text("a"), .null]) == .texts(["a", nil]))
        #expect(Parameter.texts(of: [.null, .null]) == .texts([nil, nil]))
    }

    @Test func `traps when parameters of another type make an array`() async {
        await #expect(processExitsWith: .failure) { _ = Parameter.texts(of: [.text("a"), .int64(1)]) }
        await #expect(processExitsWith: .failure) { _ = Parameter.texts(of: [.int64(1), .int64(2)]) }
    }

    @Test func `an optional text is a text or null`() {
        #expect(Parameter.optionalText("a") == .text("a"))
        #expect(Parameter.optionalText("") == .text(""))
        #expect(Parameter.optionalText(nil) == .null)
    }

    /// Statements keep their parameters, which are copied several times.
    @Test func `a parameter takes 16 bytes and its case`() {
        #expect(MemoryLayout<Parameter>.size == 17 && MemoryLayout<Parameter>.stride == 24)
    }
}
