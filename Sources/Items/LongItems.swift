import Postgres

/// The statements for items that may be longer than new ones, in a table from before, and for pages of many items.
/// PostgreSQL bounds what they return, because a client cannot stop it from sending a text.
enum LongItems {
    static let statements = [
        find, firstPage, firstPageDescending, nextPage, nextPageDescending, first, firstDescending, next,
        nextDescending, listed,
    ]

    static let length = "(coalesce(octet_length(name), 0) + coalesce(octet_length(description), 0))"
    /// Fails for an item that is longer than any that is sent; `ItemTooLong` parses the message, in any language.
    private static let id = """
        CASE WHEN length <= \(Item.longestByteCount) THEN id
            ELSE ('item ' || id || ' takes ' || length || ' bytes')::int8 END AS id
        """
    /// libpq reads a row completely, and then copies it.
    private static let resultByteLimit = 2 * Item.longestByteCount

    /// One item.
    static let find = Statement(
        "find_long_item",
        """
        SELECT \(id), name, description, created_at, updated_at FROM (
            SELECT *, \(length) AS length FROM (SELECT \(Item.columns) FROM items WHERE id = $1::int8) AS item
        ) AS item
        """, result: resultByteLimit)

    /// An item of a filtered list, and behind it the position after it: `$1` and `$2` are its id and `created_at`. The page
    /// ends with it, and also when the item was deleted meanwhile the list goes on behind its place.
    private static let listed = Statement(
        "list_filtered_long_item",
        """
        SELECT \(id), name, description, created_at, updated_at, \(FilteredLists.Mark.item.rawValue)::int8 AS mark FROM (
            SELECT *, \(length) AS length FROM (SELECT \(Item.columns) FROM items WHERE id = $1::int8) AS item
        ) AS item
        UNION ALL
        SELECT $1::int8, NULL, NULL, $2::timestamptz, NULL, \(FilteredLists.Mark.edge.rawValue)::int8
        """, result: resultByteLimit)

    /// For the rows of a filtered list whose first item exceeds a page.
    static let fallback = Statement.Fallback(
        listed,
        with: { (rows) throws(DatabaseError) in
            guard let item = FilteredRows.longItem(rows) else { throw .unexpectedResult("no item is too long") }
            return [.int64(item.id), item.createdAt]
        },
        where: { FilteredRows.longItem($0) != nil })

    static let firstPage = page("list_items_long", PlainList.first, by: "key", or: first)
    static let firstPageDescending = page(
        "list_items_long_descending", PlainList.firstDescending, by: "key DESC", or: firstDescending)
    static let nextPage = page("list_items_long_after", PlainList.next, by: "key", or: next)
    static let nextPageDescending = page(
        "list_items_long_descending_after", PlainList.nextDescending, by: "key DESC", or: nextDescending)
    /// As in `ItemStore`, with texts of any length. No row follows the one that exceeds the page's bytes, which is
    /// returned without its texts. The window runs in the order of the rows, so nothing is sorted, and it ends at the
    /// limit.
    private static func page(_ name: String, _ choice: String, by order: String, or first: Statement) -> Statement {
        Statement(
            name,
            """
            SELECT id, CASE WHEN through <= \(PageRequest.byteLimit) THEN name END,
                CASE WHEN through <= \(PageRequest.byteLimit) THEN description END, created_at, updated_at
            FROM (
                SELECT *, sum(length) OVER (ORDER BY \(order) ROWS UNBOUNDED PRECEDING) AS through FROM (
                    SELECT *, \(length) AS length FROM (
                        SELECT \(Item.columns), items.id AS key FROM items \(choice)
                        LIMIT \(PageRequest.limits.upperBound + 1)
                    ) AS page
                ) AS page LIMIT $1::int8
            ) AS page WHERE through - length <= \(PageRequest.byteLimit)
            """,
            result: PageRequest.resultByteLimit,
            // Its only row has no name, or its texts alone exceed the page.
            or: Statement.Fallback(first) { $0.count == 1 && (try? $0[0].isNull(1)) == true })
    }

    private static let first = item("list_long_item", PlainList.first)
    private static let firstDescending = item("list_long_item_descending", PlainList.firstDescending)
    private static let next = item("list_long_item_after", PlainList.next)
    private static let nextDescending = item("list_long_item_descending_after", PlainList.nextDescending)
    /// The first item of a page, with the page's parameters.
    private static func item(_ name: String, _ choice: String) -> Statement {
        Statement(
            name,
            """
            SELECT \(id), name, description, created_at, updated_at FROM (
                SELECT *, \(length) AS length FROM (SELECT \(Item.columns) FROM items \(choice) LIMIT 1) AS item
            ) AS item LIMIT $1::int8
            """, result: resultByteLimit)
    }
}
