import Postgres

/// The statements of a list that searches names. The work of a request is bounded: the first statement looks at the next
/// `probeLimit` items of the list; if they are not enough and the table has an index of names, the second one finds
/// all by the index, when there are at most `matchLimit` items with the text. Otherwise the page is short, and its
/// cursor leads behind the items that were looked at.
///
/// Neither way alone is bounded: in the list's order a rare text is far away, and the index has all places of a common
/// one, in no order. The index knows only runs of three characters. A text whose runs are all common makes it look at
/// as many names as have the least common of them, whether they contain the text or not. So the first statement
/// estimates how common the runs are, from a sample of the table (`Sample`), and `indexTime` bounds the second one
/// where the sample is wrong.
struct Search: Sendable {
    /// Items that one request looks at: about a millisecond.
    static let probeLimit = 1_000
    /// Items with the text that the index may find.
    static let matchLimit = 400
    /// Names that the index may have to look at.
    static let candidateLimit = 2_000
    /// Longest run of the statement that uses the index; then the page is what the first statement has found.
    static let indexTime = Duration.milliseconds(100)
    /// Characters in a row that the index needs: it has runs of so many, and for a shorter text reads all of them.
    static let runLength = 3
    /// Runs of a text that are looked for in the sample, if it has more.
    static let runLimit = 32

    let probe: Statement
    private let indexed: Statement

    var statements: [Statement] { [probe, indexed] }

    static let all = [byID, byIDDescending, byTime, byTimeDescending]
    private static let byID = Search("search_items", ListOrder(isByTime: false, .ascending))
    private static let byIDDescending = Search("search_items_descending", ListOrder(isByTime: false, .descending))
    private static let byTime = Search("search_items_by_time", ListOrder(isByTime: true, .ascending))
    private static let byTimeDescending = Search(
        "search_items_by_time_descending", ListOrder(isByTime: true, .descending))

    static func of(isByTime: Bool, _ direction: ItemList.Order) -> Search {
        switch (isByTime, direction) {
        case (false, .ascending): byID
        case (false, .descending): byIDDescending
        case (true, .ascending): byTime
        case (true, .descending): byTimeDescending
        }
    }

    /// What `LIKE` takes for names that contain the text, except for its case.
    static func pattern(_ text: String) -> String {
        var pattern = "%"
        for scalar in text.unicodeScalars {
            if scalar == "%" || scalar == "_" || scalar == "\\" { pattern.unicodeScalars.append("\\") }
            pattern.unicodeScalars.append(scalar)
        }
        return pattern + "%"
    }

    private init(_ name: String, _ order: ListOrder) {
        indexed = Statement(
            "\(name)_indexed", Self.indexedSQL(order), result: PageRequest.resultByteLimit, or: LongItems.fallback)
        probe = Statement(
            name, Self.probeSQL(order), result: PageRequest.resultByteLimit,
            or: LongItems.fallback,
            Statement.Fallback(indexed, within: Self.indexTime, where: FilteredRows.wantIndex))
    }

    /// The items that the probe finds, as `found`, and where it ended, as `edge`: no row when enough was found, or when
    /// it came to the list's end.
    ///
    /// - Parameter condition: SQL; nothing is read where it is false.
    private static func probe(_ order: ListOrder, where condition: String = "true") -> String {
        let place = "\(condition) AND \(gate(order)) \(order.range) ORDER BY \(order.ofItems)"
        return """
            found AS MATERIALIZED (
                SELECT near.id AS key FROM (
                    SELECT id, name FROM items WHERE \(place) LIMIT \(probeLimit)
                ) AS near WHERE \(ListIndex.searched("near.name")) LIKE \(pattern(order)) LIMIT $1::int8
            ), edge AS MATERIALIZED (
                SELECT id::int8 AS key, created_at::timestamptz AS moment FROM items
                WHERE (SELECT count(*) FROM found) < $1::int8 AND \(place) OFFSET \(probeLimit - 1) LIMIT 1
            )
            """
    }

    /// Lists by time need their index.
    private static func gate(_ order: ListOrder) -> String { order.isByTime ? "\(ListIndex.byTime.exists) AND" : "" }

    /// In lower case, computed once.
    private static func pattern(_ order: ListOrder) -> String {
        "(SELECT lower($\(order.nextParameter)::text COLLATE \"default\"))"
    }

    private static func noIndex(_ order: ListOrder) -> String {
        order.isByTime ? "UNION ALL \(FilteredLists.noTimeIndex)" : ""
    }

    private static func items(_ keys: String, _ order: ListOrder) -> String {
        FilteredLists.rows("WHERE items.id = ANY(ARRAY(SELECT key FROM \(keys))) ORDER BY \(order.ofItems)", order)
    }

    /// Whether the index may find the rest: it is there, not too many items have the text, if the rest of the table has as
    /// many as the probe has found, and the text has a run that few names have.
    private static func isIndexOfUse(_ order: ListOrder) -> String {
        """
        \(ListIndex.ofNames.exists)
        AND (SELECT count(*) FROM found) <= (SELECT \(2 * matchLimit * probeLimit) / greatest(rows, 1) FROM size)
        AND EXISTS (
            SELECT FROM runs WHERE (
                SELECT count(*) FROM (
                    SELECT FROM sample WHERE strpos(sample.name, runs.run) > 0 LIMIT (SELECT most + 1 FROM bound)
                ) AS names
            ) <= (SELECT most FROM bound)
        )
        """
    }

    /// The runs of the text that the index knows for certain: at the ends of a word it knows shorter ones too.
    private static func runs(_ order: ListOrder) -> String {
        """
        runs AS MATERIALIZED (
            SELECT DISTINCT substr(word[1], place, \(runLength)) AS run
            FROM regexp_matches(\(pattern(order)), '[[:alnum:]]{\(runLength),}', 'g') AS word,
                generate_series(1, char_length(word[1]) - \(runLength - 1)) AS place
            LIMIT \(runLimit)
        )
        """
    }

    /// In how many names of the sample a run may be.
    private static let bound = """
        bound AS MATERIALIZED (
            SELECT floor(\(candidateLimit) * (SELECT count(*) FROM sample) / greatest(rows, 1))::int8 AS most FROM size
        )
        """

    private static func probeSQL(_ order: ListOrder) -> String {
        let (edge, beforeIndex) = (FilteredLists.Mark.edge.rawValue, FilteredLists.Mark.edgeBeforeIndex.rawValue)
        return """
            WITH \(probe(order)), \(Sample.size), \(Sample.names), \(bound), \(runs(order))
            \(items("found", order))
            UNION ALL
            SELECT key, NULL, NULL, moment, NULL,
                (CASE WHEN \(isIndexOfUse(order)) THEN \(beforeIndex) ELSE \(edge) END)::int8
            FROM edge
            \(noIndex(order))
            """
    }

    /// All items with the text by the index, or what the probe finds when there are too many.
    private static func indexedSQL(_ order: ListOrder) -> String {
        let isTooMany = "(SELECT count(*) FROM few) > \(matchLimit)"
        return """
            WITH matching AS MATERIALIZED (
                SELECT id::int8 AS key, created_at::timestamptz AS moment FROM items
                WHERE \(ListIndex.searched("items.name")) LIKE \(pattern(order))
            ), few AS MATERIALIZED (
                SELECT key, moment FROM matching LIMIT \(matchLimit + 1)
            ), \(probe(order, where: isTooMany)), keys AS MATERIALIZED (
                (SELECT key FROM few WHERE NOT \(isTooMany) AND \(order.rangeOfKeys)
                ORDER BY \(order.ofKeys) LIMIT $1::int8)
                UNION ALL
                SELECT key FROM found
            )
            \(items("keys", order))
            UNION ALL
            SELECT key, NULL, NULL, moment, NULL, \(FilteredLists.Mark.edge.rawValue)::int8 FROM edge
            \(noIndex(order))
            """
    }
}
