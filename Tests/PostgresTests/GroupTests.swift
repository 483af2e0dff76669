import Testing

@testable import Postgres

/// Merged statements of one loop iteration: lookups and inserts.
@Suite(.needsServer, .timeLimit(.minutes(1)))
struct GroupTests {
    /// Finds even keys; returns which statement ran, and the rows of merged lookups in descending order.
    private static let even = Statement(
        "even", "SELECT $1::int8, 'one' WHERE $1::int8 % 2 = 0",
        lookingUp: Statement(
            "evens", "SELECT DISTINCT key, 'many' FROM unnest($1::int8[]) AS key WHERE key % 2 = 0 ORDER BY 1 DESC"))
    /// Fails at 0.
    private static let inverse = Statement(
        "inverse", "SELECT $1::int8, 100 / $1::int8",
        lookingUp: Statement("inverses", "SELECT key, 100 / key FROM unnest($1::int8[]) AS key"))
    private static let one = PoolBounds(minimum: 1, maximum: 1)

    private func lookups(_ statement: Statement, _ keys: [Int64]) -> [(Statement, [Parameter])] {
        keys.map { (statement, [.int64($0)]) }
    }

    @Test(arguments: [[], [even, even.many!]])
    func `lookups of one iteration are merged, and each gets the row of its key or none`(prepared: [Statement])
        async throws
    {
        try await withPool(Self.one, statements: prepared) { (test) async throws in
            let keys: [Int64] = [4, 7, 2, 2, -6, .max - 1, 0, .min, 4, 1]
            let outcomes = try await test.queryTogether(lookups(Self.even, keys))
            for (key, outcome) in zip(keys, outcomes) {
                let rows = try outcome.get()
                #expect(rows.count == (key % 2 == 0 ? 1 : 0))
                if let row = rows.first {
                    #expect(try row.int64(0) == key)
                    #expect(try row.text(1) == "many")
                }
            }
        }
    }

    @Test func `a lookup without a neighbour is not merged`() async throws {
        try await withPool(Self.one) { (test) async throws in
            #expect(try await test.pool.query(Self.even, [.int64(2)])[0].text(1) == "one")
            #expect(try await test.pool.query(Self.even, [.int64(3)]).count == 0)
        }
    }

    @Test func `lookups submitted by key are merged`() async throws {
        try await withPool(Self.one) { (test) async throws in
            let texts = try await test.onLoop {
                await withTaskGroup(of: Result<Rows, DatabaseError>.self) { group in
                    for key in [2, 4] as [Int64] {
                        group.addTask {
                            await withCheckedContinuation { continuation in
                                test.pool.query(Self.even, key: key) { $0 }.begin(on: test.pool.loop, until: nil) {
                                    continuation.resume(returning: $0)
                                }
                            }
                        }
                    }
                    var texts: [Result<String, DatabaseError>] = []
                    for await rows in group {
                        texts.append(
                            rows.flatMap { rows in Result { () throws(DatabaseError) in try rows[0].text(1) } })
                    }
                    return texts
                }
            }
            #expect(texts == [.success("many"), .success("many")])
        }
    }

    @Test func `only a lookup has a key`() async {
        await #expect(processExitsWith: .failure) { _ = Arguments([.text("a")], for: Self.even) }
        await #expect(processExitsWith: .failure) { _ = Arguments([], for: Self.even) }
        await #expect(processExitsWith: .failure) {
            try? await withPool(Self.one) { test in
                _ = test.pool.query(Statement("none", "SELECT 1"), key: 1) { $0 }
            }
        }
    }

    @Test func `statements between lookups keep their order and their rows`() async throws {
        try await withPool(Self.one) { (test) async throws in
            let other = Statement("other", "SELECT $1::int8, 'other'")
            let update = Statement("change", "SELECT $1::int8, 'change'", kind: .update)
            let queries: [(Statement, [Parameter])] = [
                (Self.even, [.int64(2)]), (Self.even, [.int64(4)]), (other, [.int64(5)]), (Self.even, [.int64(6)]),
                (update, [.int64(7)]), (Self.even, [.int64(8)]), (Self.even, [.int64(10)]), (Self.inverse, [.int64(1)]),
            ]
            let rows = try await test.queryTogether(queries).map { try $0.get()[0] }
            #expect(try rows.map { try $0.int64(0) } == [2, 4, 5, 6, 7, 8, 10, 1])
            let texts = try rows.dropLast().map { try $0.text(1) }
            // Reads are sent before writes, so they are adjacent.
            #expect(texts == ["many", "many", "other", "many", "change", "many", "many"])
        }
    }

    @Test func `more lookups than can be merged are all answered`() async throws {
        try await withPool(Self.one) { (test) async throws in
            let keys = (0..<Int64(5 * Connection.groupLimit)).map { $0 * 2 }
            let outcomes = try await test.queryTogether(lookups(Self.even, keys))
            #expect(try outcomes.map { try $0.get()[0].int64(0) } == keys)
        }
    }

    @Test func `a lookup that fails does not fail its neighbours`() async throws {
        try await withPool(Self.one) { (test) async throws in
            let outcomes = try await test.queryTogether(lookups(Self.inverse, [1, 0, 4]))
            #expect(try outcomes[0].get()[0].int64(1) == 100)
            #expect(throws: DatabaseError.self) { try outcomes[1].get() }
            #expect(try outcomes[2].get()[0].int64(1) == 25)
            // Only the statement at fault is reported as failed.
            #expect(test.log.count { if case .failed = $0 { true } else { false } } == 1)
        }
    }

    @Test func `lookups whose connection breaks run again`() async throws {
        let dying = Statement("dying", "SELECT pg_terminate_backend(pg_backend_pid())", kind: .insert)
        try await withPool(Self.one) { (test) async throws in
            let outcomes = try await test.queryTogether(
                lookups(Self.even, [2, 4, 6]) + [(dying, [])] + lookups(Self.even, [8, 10]))
            for (index, key) in [0: 2, 1: 4, 2: 6, 4: 8, 5: 10] as [Int: Int64] {
                #expect(try outcomes[index].get()[0].int64(0) == key)
            }
            #expect(throws: DatabaseError.self) { try outcomes[3].get() }
        }
    }

    @Test func `a lookup whose deadline passes fails then, and its neighbours are answered when done`() async throws {
        let slow = Statement(
            "slow", "SELECT $1::int8, pg_sleep(0.2)",
            lookingUp: Statement("slows", "SELECT key, pg_sleep(0.2) FROM unnest($1::int8[]) AS key"))
        try await withPool(Self.one) { (test) async throws in
            let outcomes = try await test.queryTogether(lookups(slow, [1, 2]), limits: [0: 50 * milliseconds])
            #expect(throws: DatabaseError.deadlineExceeded) { try outcomes[0].get() }
            #expect(try outcomes[1].get()[0].int64(0) == 2)
        }
    }

    @Test func `reads of one iteration with a lookup as fallback are all answered`() async throws {
        let short = Statement("short", "SELECT $1::int8", or: Statement.Fallback(Self.even) { _ in true })
        try await withPool(Self.one) { (test) async throws in
            let outcomes = try await test.queryTogether(lookups(short, [2, 4]))
            #expect(try outcomes.map { try $0.get()[0].text(1) } == ["one", "one"])
        }
    }

    @Test func `each lookup is reported under its own name`() async throws {
        try await withPool(Self.one) { (test) async throws in
            _ = try await test.queryTogether(lookups(Self.even, [1, 2, 3]))
            let reported = test.log.count { event in
                if case .completed(let statement, _) = event { statement === Self.even } else { false }
            }
            #expect(reported == 3)
        }
    }

    /// Inserts a text and an optional remark; fails for the text "bad" if run alone.
    private static let note = Statement(
        "note", "INSERT INTO notes (text, remark) VALUES ($1::text, $2::text) RETURNING id::int8, text, remark, 'one'",
        inserting: Statement(
            "notes",
            """
            INSERT INTO notes (text, remark)
            SELECT text, remark FROM unnest($1::text[], $2::text[]) WITH ORDINALITY AS new (text, remark, place)
            ORDER BY place RETURNING id::int8, text, remark, 'many'
            """, kind: .insert))

    private func withNotes(_ body: (TestPool) async throws -> Void) async throws {
        try await withPool(Self.one) { (test) async throws in
            _ = try await test.pool.query(
                Statement(
                    "notes_table",
                    """
                    CREATE TEMPORARY TABLE notes (
                        id serial, text text NOT NULL CHECK (text <> 'bad'), remark text, at timestamptz DEFAULT now())
                    """, kind: .update))
            try await body(test)
        }
    }

    private func notes(_ texts: [(String, String?)]) -> [(Statement, [Parameter])] {
        texts.map { (Self.note, [.text($0.0), .optionalText($0.1)]) }
    }

    @Test func `inserts of one iteration are merged, and each gets its own row, in order`() async throws {
        try await withNotes { (test) async throws in
            let texts: [(String, String?)] = [
                ("b", nil), ("a", "x"), ("", ""), ("é\"\\,{}'NULL", "NULL"), ("b", nil),
                (String(repeating: "ü", count: 9000), "x"),
            ]
            let rows = try await test.queryTogether(notes(texts)).map { try $0.get()[0] }
            for (place, (row, text)) in zip(rows, texts).enumerated() {
                #expect(try row.int64(0) == Int64(place + 1))
                #expect(try row.text(1) == text.0)
                #expect(try row.optionalText(2) == text.1)
                #expect(try row.text(3) == "many")
            }
        }
    }

    @Test func `merged inserts without an optional text leave it null`() async throws {
        try await withNotes { (test) async throws in
            for outcome in try await test.queryTogether(notes([("a", nil), ("b", nil)])) {
                #expect(try outcome.get()[0].optionalText(2) == nil)
            }
        }
    }

    @Test func `an insert that fails does not fail its neighbours, and no row is inserted twice`() async throws {
        try await withNotes { (test) async throws in
            let outcomes = try await test.queryTogether(notes([("a", nil), ("bad", nil), ("c", nil)]))
            #expect(try outcomes[0].get()[0].text(1) == "a")
            #expect(throws: DatabaseError.self) { try outcomes[1].get() }
            #expect(try outcomes[2].get()[0].text(1) == "c")
            let all = try await test.pool.query(Statement("all", "SELECT string_agg(text, ',' ORDER BY id) FROM notes"))
            #expect(try all[0].text(0) == "a,c")
        }
    }

    @Test func `more inserts than can be merged all get their rows`() async throws {
        try await withNotes { (test) async throws in
            let texts = (0..<2 * Connection.groupLimit + 1).map { ("note \($0)", nil as String?) }
            let rows = try await test.queryTogether(notes(texts)).map { try $0.get()[0] }
            #expect(try rows.map { try $0.text(1) } == texts.map(\.0))
        }
    }

    @Test func `merged inserts that return a wrong number of rows fail and are not repeated`() async throws {
        let dropping = Statement(
            "dropping", "INSERT INTO notes (text) VALUES ($1::text) RETURNING id::int8",
            inserting: Statement(
                "droppings",
                "INSERT INTO notes (text) SELECT text FROM unnest($1::text[]) AS text LIMIT 1 RETURNING id::int8",
                kind: .insert))
        try await withNotes { (test) async throws in
            let outcomes = try await test.queryTogether([(dropping, [.text("a")]), (dropping, [.text("b")])])
            for outcome in outcomes {
                #expect(throws: DatabaseError.self) { try outcome.get() }
            }
            #expect(test.log.count { if case .waited = $0 { true } else { false } } == 3)
        }
    }

    /// Inserts a text and a number, which a text[] cannot hold. The merged statement is never used.
    private static let numbered = Statement(
        "numbered",
        "INSERT INTO notes (text, remark) VALUES ($1::text, $2::int8::text) RETURNING id::int8, remark, 'one'",
        inserting: Statement(
            "numbereds",
            """
            INSERT INTO notes (text, remark) SELECT * FROM unnest($1::text[], $2::text[])
            RETURNING id::int8, remark, 'many'
            """, kind: .insert))

    @Test func `inserts of one iteration with a parameter other than text run one by one`() async throws {
        try await withNotes { (test) async throws in
            let asked: [[Parameter]] = [
                [.text("a"), .int64(1)], [.text("b"), .null], [.text("c"), .int64(3)], [.text("d"), .null],
                [.null, .null], [.text("bad"), .int64(6)],
            ]
            let outcomes = try await test.queryTogether(asked.map { (Self.numbered, $0) })
            let remarks = try outcomes.prefix(4).map { try $0.get()[0].optionalText(1) }
            #expect(remarks == ["1", nil, "3", nil])
            for outcome in outcomes.suffix(2) { #expect(throws: DatabaseError.self) { try outcome.get() } }
        }
    }
}
