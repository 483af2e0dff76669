import FoundationEssentials
import Testing

@testable import Postgres

/// A wrong type is an error that names the column.
struct ColumnErrorTests {
    private func error<Value: ColumnValue>(of row: Row, _ column: Int, as type: Value.Type) -> String? {
        do throws(DatabaseError) {
            _ = try row[column] as Value
            return nil
        } catch {
            guard case .unexpectedResult(let what) = error else { return "\(error)" }
            return what
        }
    }

    @Test(.needsServer, .timeLimit(.minutes(1)))
    func `a column of another type is an error that names it`() async throws {
        let rows = try await withPool { test in
            try await test.pool.query(
                Statement(
                    "types",
                    """
                    SELECT 1::int8, 1::float8, now(), now()::timestamp, 'x'::text, '{1}'::int8[], 1::int4, NULL::int4,
                        '{1,NULL}'::int8[], '{{1},{2}}'::int8[], '{}'::text[], '{}'::jsonb, '1 day'::interval, '\\x00'::bytea,
                        'infinity'::date, '-infinity'::date, 'infinity'::timestamptz, '-infinity'::timestamptz,
                        '294247-01-10 04:00:54.775808Z'::timestamptz, '[5:6]={1,2}'::int8[], NULL
                    """))
        }
        let row = rows[0]
        #expect(error(of: row, 0, as: Double.self) == "column 0 is int8, not float8")
        #expect(error(of: row, 0, as: Timestamp.self) == "column 0 is int8, not timestamptz")
        #expect(error(of: row, 1, as: Int.self) == "column 1 is float8, not int8")
        #expect(error(of: row, 2, as: Int64.self) == "column 2 is timestamptz, not int8")
        #expect(error(of: row, 3, as: Timestamp.self) == "column 3 is timestamp, not timestamptz")
        #expect(error(of: row, 4, as: UUID.self) == "column 4 is text, not uuid")
        #expect(error(of: row, 4, as: [UInt8].self) == "column 4 is text, not bytea")
        #expect(error(of: row, 5, as: [String].self) == "column 5 is int8[], not text[]")
        #expect(error(of: row, 5, as: Int64.self) == "column 5 is int8[], not int8")
        #expect(error(of: row, 6, as: Int64.self) == "column 6 is int4, not int8")
        #expect(error(of: row, 6, as: [Int32].self) == "column 6 is int4, not int4[]")
        #expect(error(of: row, 7, as: Int64.self) == "column 7 is int4, not int8")
        #expect(error(of: row, 7, as: Int32.self) == "column 7 is null")
        #expect(error(of: row, 8, as: [Int64].self) == "column 8 has a null among its elements")
        #expect(error(of: row, 9, as: [Int64].self) == "column 9 has 2 dimensions, not 1")
        #expect(error(of: row, 10, as: [Int64?].self) == "column 10 is text[], not int8[]")
        #expect(error(of: row, 11, as: String.self) == "column 11 is jsonb, not text")
        #expect(error(of: row, 12, as: String.self) == "column 12 is interval, not text")
        #expect(error(of: row, 13, as: Bool.self) == "column 13 is bytea, not bool")
        for column in 14...15 {
            #expect(error(of: row, column, as: CalendarDate.self) == "column \(column) is infinite")
        }
        for column in 16...17 {
            #expect(error(of: row, column, as: Timestamp.self) == "column \(column) is infinite")
        }
        #expect(error(of: row, 18, as: Timestamp.self) == "column 18 is out of the range of timestamps")
        #expect(try row[19] as [Int] == [1, 2])
        #expect(error(of: row, 20, as: Int.self) == "column 20 is text, not int8")
        #expect(error(of: row, 21, as: Int.self) == "no column 21")
        #expect(error(of: row, -1, as: [String?].self) == "no column -1")
        #expect(throws: DatabaseError.unexpectedResult("no column 21")) { try row[21] as Int? }
        #expect(throws: DatabaseError.unexpectedResult("column 7 is int4, not int8")) { try row[7] as Int? }
    }

    @Test(.needsServer, .timeLimit(.minutes(1)))
    func `the server refuses a timestamp before its range`() async throws {
        try await withPool { (test) async throws in
            for microseconds in [.min, .min + 946_684_800_000_000, -210_866_803_200_000_001] as [Int64] {
                let moment = Timestamp(microsecondsSinceEpoch: microseconds)
                let error = await failure { () throws(DatabaseError) in
                    try await test.pool.query(Statement("moment", "SELECT $1::timestamptz"), [.value(moment)])
                }
                #expect(error?.sqlState == "22008")
            }
        }
    }

    /// Valid, invalid, truncated and mutated bytes of each type must give a value or an error.
    @Test func `arbitrary bytes never trap`() throws {
        let uuid = UUID(uuid: (1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16))
        let numbers = ["0", "-12.30", "NaN", "123456789.000012345", "0.0001"].compactMap { ExactDecimal($0) }
        var parameters: [Parameter] = [
            .value(true), .value(7 as Int16), .value(7 as Int32), .value(7), .value(1.5), .value("é"), .value(uuid),
            .value(CalendarDate(year: 2024, month: 11, day: 1)), .value(Timestamp(microsecondsSinceEpoch: 0)),
            .value([1, nil, 3] as [Int64?]), .value(["a", nil, ""] as [String?]), .value([] as [Int64]),
            .value(numbers), .value([true, false]), .value([uuid]), .bytes([]),
        ]
        parameters += numbers.map { .value($0) }
        let seeds = parameters.map { Self.bytes(of: $0) }
        var generator = SeededGenerator(state: 1)
        for round in 0..<4000 {
            var bytes = seeds[round % seeds.count]
            switch Int.random(in: 0..<4, using: &generator) {
            case 0:
                bytes = (0..<Int.random(in: 0..<64, using: &generator)).map { _ in
                    .random(in: 0...255, using: &generator)
                }
            case 1: bytes.removeLast(Int.random(in: 0...bytes.count, using: &generator))
            case 2: bytes.append(.random(in: 0...255, using: &generator))
            default: break
            }
            for _ in 0..<Int.random(in: 0..<4, using: &generator) where !bytes.isEmpty {
                let index = Int.random(in: bytes.indices, using: &generator)
                bytes[index] = [0, 1, 0x7F, 0x80, 0xFF, .random(in: 0...255, using: &generator)]
                    .randomElement(using: &generator)!
            }
            Self.decodeAll(bytes)
        }
        for seed in seeds { for count in 0...seed.count { Self.decodeAll(Array(seed.prefix(count))) } }
    }

    private static func bytes(of parameter: Parameter) -> [UInt8] {
        var bytes: [UInt8] = []
        parameter.append(to: &bytes)
        return bytes
    }

    /// Decodes the bytes as every type. An accepted value must survive a round trip.
    private static func decodeAll(_ bytes: [UInt8]) {
        decode(bytes, as: Bool.self)
        decode(bytes, as: Int16.self)
        decode(bytes, as: Int32.self)
        decode(bytes, as: Int64.self)
        decode(bytes, as: Int.self)
        decode(bytes, as: String.self)
        decode(bytes, as: UUID.self)
        decode(bytes, as: [UInt8].self)
        decode(bytes, as: ExactDecimal.self)
        decode(bytes, as: CalendarDate.self)
        decode(bytes, as: Timestamp.self)
        decode(bytes, as: [Int64].self)
        decode(bytes, as: [Int64?].self)
        decode(bytes, as: [String].self)
        decode(bytes, as: [String?].self)
        decode(bytes, as: [ExactDecimal?].self)
        decode(bytes, as: [Bool].self)
        decode(bytes, as: [UUID].self)
        _ = try? Double(binary: bytes.span)
    }

    private static func decode<Value: ColumnValue & Equatable>(_ bytes: [UInt8], as type: Value.Type) {
        guard let value = try? Value(binary: bytes.span) else { return }
        let sent = Self.bytes(of: value.parameter)
        guard let again = try? Value(binary: sent.span), again == value else {
            Issue.record("\(bytes) is \(value), and is sent as \(sent)")
            return
        }
    }
}
