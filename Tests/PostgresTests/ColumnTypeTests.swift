import Testing

@testable import Postgres

struct ColumnTypeTests {
    @Test(.needsServer, .timeLimit(.minutes(1)))
    func `the known types match the server's catalog`() async throws {
        for (oid, name, array) in ColumnType.known {
            let rows = try await Server.execute("SELECT typname, typarray FROM pg_type WHERE oid = \(oid)")
            #expect(rows == [["\(name)", "\(array)"]])
        }
    }

    @Test func `a type is described by PostgreSQL's name, or by its OID`() {
        #expect(ColumnType.int8.description == "int8")
        #expect(ColumnType.int8.array?.description == "int8[]")
        #expect(ColumnType(oid: 16_400).description == "of the type 16400")
        #expect(ColumnType(oid: 0).description == "of the type 0")
    }

    @Test func `an array type has an element type`() {
        #expect(ColumnType.text.array == ColumnType(oid: 1009))
        #expect(ColumnType(oid: 1009).element == .text)
        for type in [ColumnType.text, .void, ColumnType(oid: 0), ColumnType(oid: 16_400)] {
            #expect(type.element == nil)
        }
        #expect(ColumnType.unknown.array == nil && ColumnType(oid: 16_400).array == nil)
    }
}

extension ColumnType {
    fileprivate static let void = ColumnType(oid: 2278)
}
