import Postgres

/// The statements of filtered lists. Each returns an item's columns and a mark (int8); `FilteredRows` reads them. Their
/// texts are bounded as in `LongItems`.
enum FilteredLists {
    static let statements = [byTime, byTimeDescending, byIDs, byIDsDescending] + Search.all.flatMap(\.statements)

    /// What a row is.
    enum Mark: Int64 {
        case item = 0
        /// An item without its texts, with which the page would be too long.
        case cut = 4
        /// The position up to which a search has looked; it has found less than was asked for.
        case edge = 1
        /// The same, and an index could find the rest.
        case edgeBeforeIndex = 2
        /// The table has no index by time.
        case noIndex = 3
        /// It is being created, or will be.
        case indexToCome = 5
    }

    /// Items by time between two positions, both excluded: `$2`, `$3` and `$4`, `$5` are time and id.
    private static let byTime = timeList("list_items_by_time", .ascending)
    private static let byTimeDescending = timeList("list_items_by_time_descending", .descending)

    private static func timeList(_ name: String, _ direction: ItemList.Order) -> Statement {
        let order = ListOrder(isByTime: true, direction)
        return Statement(
            name,
            """
            \(rows("WHERE \(ListIndex.byTime.exists) AND \(order.range) ORDER BY \(order.ofItems)", order))
            UNION ALL
            \(noTimeIndex)
            """,
            result: PageRequest.resultByteLimit, or: LongItems.fallback)
    }

    /// A row when the table has no index by time.
    static let noTimeIndex = """
        SELECT 0, NULL, NULL, NULL, NULL,
            (CASE WHEN \(ListIndex.byTime.isToCome) THEN \(Mark.indexToCome.rawValue) ELSE \(Mark.noIndex.rawValue) END)::int8
        WHERE NOT \(ListIndex.byTime.exists)
        """

    /// Items with the ids in `$2`.
    private static let byIDs = idList("list_items_by_ids", .ascending)
    private static let byIDsDescending = idList("list_items_by_ids_descending", .descending)

    private static func idList(_ name: String, _ direction: ItemList.Order) -> Statement {
        let order = ListOrder(isByTime: false, direction)
        return Statement(
            name, rows("WHERE items.id = ANY($2::int8[]) ORDER BY \(order.ofItems)", order),
            result: PageRequest.resultByteLimit, or: LongItems.fallback)
    }

    /// SQL of the items that `choice` selects in its order, at most `$1`. No row follows the one that exceeds the page's
    /// bytes, which is returned without its texts.
    static func rows(_ choice: String, _ order: ListOrder) -> String {
        """
        SELECT id, CASE WHEN through <= \(PageRequest.byteLimit) THEN name END AS name,
            CASE WHEN through <= \(PageRequest.byteLimit) THEN description END AS description, created_at, updated_at,
            (CASE WHEN through <= \(PageRequest.byteLimit) THEN \(Mark.item.rawValue)
                ELSE \(Mark.cut.rawValue) END)::int8 AS mark
        FROM (
            SELECT *, sum(length) OVER (ORDER BY \(order.ofKeys) ROWS UNBOUNDED PRECEDING) AS through FROM (
                SELECT *, \(LongItems.length) AS length FROM (
                    SELECT \(Item.columns), items.id AS key, items.created_at AS moment FROM items \(choice)
                    LIMIT \(PageRequest.limits.upperBound + 1)
                ) AS page
            ) AS page LIMIT $1::int8
        ) AS page WHERE through - length <= \(PageRequest.byteLimit)
        """
    }

    /// The statement and the parameters of a page.
    static func selection(for request: PageRequest, _ filter: ListFilter) -> (Statement, [Parameter]) {
        let isAscending = request.direction == .ascending
        var parameters = [Parameter.int64(Int64(request.rowLimit))]
        if let ids = filter.ids {
            parameters.append(.int64s(PageRequest.ids(of: ids, for: request)))
            return (isAscending ? byIDs : byIDsDescending, parameters)
        }
        parameters += request.bounds
        guard let text = filter.text else { return (isAscending ? byTime : byTimeDescending, parameters) }
        parameters.append(.text(Search.pattern(text)))
        return (Search.of(isByTime: filter.isByTime, request.direction).probe, parameters)
    }
}
