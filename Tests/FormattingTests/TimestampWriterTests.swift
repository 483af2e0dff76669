import Formatting
import Testing

struct TimestampWriterTests {
    @Test(arguments: [
        (Int64(0), "1970-01-01T00:00:00.000000Z"), (1, "1970-01-01T00:00:00.000001Z"),
        (-1, "1969-12-31T23:59:59.999999Z"), (-1_000_000, "1969-12-31T23:59:59.000000Z"),
        (-1_000_001, "1969-12-31T23:59:58.999999Z"), (999_999, "1970-01-01T00:00:00.999999Z"),
        (1_730_462_400_000_000, "2024-11-01T12:00:00.000000Z"), (1_730_462_400_120_300, "2024-11-01T12:00:00.120300Z"),
        (-11_676_096_000_000_000, "1600-01-01T00:00:00.000000Z"),
    ])
    func `writes microseconds as a timestamp`(microseconds: Int64, expected: String) {
        #expect(text { $0.append(timestampMicroseconds: microseconds) } == expected)
    }

    @Test(arguments: [
        (Int64.max, "9999-12-31T23:59:59.999999Z"), (253_402_300_800_000_000, "9999-12-31T23:59:59.999999Z"),
        (253_402_300_799_999_998, "9999-12-31T23:59:59.999998Z"),
        (-62_135_596_799_999_999, "0001-01-01T00:00:00.000001Z"),
        (-62_135_596_800_000_001, "0001-01-01T00:00:00.000000Z"), (.min, "0001-01-01T00:00:00.000000Z"),
    ])
    func `a time outside four-digit years becomes the first or last one of them`(microseconds: Int64, expected: String)
    {
        #expect(text { $0.append(timestampMicroseconds: microseconds) } == expected)
    }

    @Test func `earlier output does not affect later output`() {
        var generator = SeededGenerator(state: 4711)
        var writer = TimestampWriter()
        var moment: Int64 = 0
        for _ in 0..<20_000 {
            // The same time again, the same day, another day, another era.
            switch generator.next() % 4 {
            case 0: break
            case 1: moment = moment &+ Int64.random(in: 0...1_000_000, using: &generator)
            case 2: moment = moment &- Int64.random(in: 0...86_400_000_000, using: &generator)
            default: moment = Int64(bitPattern: generator.next())
            }
            let written = text { bytes in
                bytes.append(addingCapacity: TimestampWriter.byteCount) {
                    writer.write(microseconds: moment, to: &$0)
                }
            }
            #expect(written == text { $0.append(timestampMicroseconds: moment) })
        }
    }
}
