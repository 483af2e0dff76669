import FoundationEssentials
import Postgres
import Testing

struct TimestampTests {
    @Test(
        arguments: [
            ("1970-01-01T00:00:00Z", 0), ("1969-12-31T23:59:59.999999Z", -1),
            ("2024-11-01T12:00:00Z", 1_730_462_400_000_000),
            ("2024-11-01T12:00:00.000000Z", 1_730_462_400_000_000), ("2024-11-01t12:00:00z", 1_730_462_400_000_000),
            ("2024-11-01T13:30:00.25+01:30", 1_730_462_400_250_000),
            ("2024-11-01T07:00:00.1-05:00", 1_730_462_400_100_000),
            ("0001-01-01T00:00:00Z", -62_135_596_800_000_000), ("9999-12-31T23:59:59.999999Z", 253_402_300_799_999_999),
        ] as [(String, Int64)])
    func `parses RFC 3339`(text: String, microseconds: Int64) {
        #expect(Timestamp(text)?.microsecondsSinceEpoch == microseconds)
    }

    @Test(arguments: [
        "", "2024-11-01", "2024-11-01T12:00:00", "2024-11-01T12:00Z", "2024-11-01 12:00:00Z", "2024-11-01T24:00:00Z",
        "2024-11-01T12:60:00Z", "2024-12-31T23:59:60Z", "2024-11-01T12:00:00.Z", "2024-11-01T12:00:00.1234567Z",
        "2024-11-01T12:00:00+1:00", "2024-11-01T12:00:00+0100", "2024-11-01T12:00:00+24:00",
        "2024-11-01T12:00:00+01:60",
        "2024-11-01T12:00:00Z ", "2024-02-30T12:00:00Z", "0000-12-31T23:59:59Z", "0001-01-01T00:00:00+00:01",
        "9999-12-31T23:59:59-00:01", "infinity", "2024-11-01T12:00:00,5Z",
    ])
    func `refuses text that is not a timestamp`(text: String) {
        #expect(Timestamp(text) == nil)
    }

    @Test func `is written in JSON with six decimals and Z`() throws {
        let moment = Timestamp(microsecondsSinceEpoch: 1_730_462_400_000_000)
        let json = #"["2024-11-01T12:00:00.000000Z"]"#
        #expect(String(decoding: try JSONEncoder().encode([moment]), as: UTF8.self) == json)
        #expect(try JSONDecoder().decode([Timestamp].self, from: Data(json.utf8)) == [moment])
        #expect(throws: DecodingError.self) {
            try JSONDecoder().decode([Timestamp].self, from: Data("[1730462400]".utf8))
        }
        for microseconds in [-62_135_596_800_000_001, 253_402_300_800_000_000, .min, .max] as [Int64] {
            let moment = Timestamp(microsecondsSinceEpoch: microseconds)
            #expect(throws: EncodingError.self) { try JSONEncoder().encode([moment]) }
        }
    }

    @Test func `all timestamps have an order and a text`() {
        let moments = ([.min, -62_135_596_800_000_001, -1, 0, 253_402_300_800_000_000, .max] as [Int64])
            .map(Timestamp.init(microsecondsSinceEpoch:))
        #expect(moments == moments.sorted())
        #expect(moments.first?.description == "290309-12-21T19:59:05.224192Z BC")
        #expect(moments.last?.description == "294247-01-10T04:00:54.775807Z")
    }
}
