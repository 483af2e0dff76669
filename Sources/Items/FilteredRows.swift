import HTTPTypes
import Postgres
import Vial

/// The rows of a filtered list's statement: items, and behind them at most one row that is none.
struct FilteredRows {
    private let rows: Rows
    private let itemCount: Int
    /// Whether the last item has no texts.
    private let isCut: Bool
    /// What the row behind the items is; nil when there is none.
    private let mark: FilteredLists.Mark?

    init(_ rows: Rows) throws(DatabaseError) {
        self.rows = rows
        let last = try Self.mark(rows, rows.count - 1)
        let isItem = last == nil || last == .item || last == .cut
        mark = isItem ? nil : last
        itemCount = isItem ? rows.count : rows.count - 1
        isCut = try Self.mark(rows, itemCount - 1) == .cut
    }

    private static func mark(_ rows: Rows, _ index: Int) throws(DatabaseError) -> FilteredLists.Mark? {
        if index < 0 { return nil }
        guard let mark = FilteredLists.Mark(rawValue: try rows[index].int64(5)) else {
            throw .unexpectedResult("a row of a list has an unknown mark")
        }
        return mark
    }

    /// Whether the rows are not all that the index of names can find.
    @Sendable static func wantIndex(_ rows: Rows) -> Bool {
        (try? FilteredRows(rows))?.mark == .edgeBeforeIndex
    }

    /// The id and the time of the first item, when its texts alone exceed a page; nil otherwise.
    static func longItem(_ rows: Rows) -> (id: Int64, createdAt: Parameter)? {
        guard let filtered = try? FilteredRows(rows), filtered.isCut, filtered.itemCount == 1 else { return nil }
        let time = try? rows[0].int64(3)
        return (try? rows[0].int64(0)).map { ($0, time.map(Parameter.int64) ?? .null) }
    }

    /// - Throws: `DatabaseError`, or `HTTPError` when the table cannot serve the list.
    func page(for request: PageRequest) throws -> Page {
        if mark == .indexToCome { throw HTTPError.timeIndexToCome }
        if mark == .noIndex { throw HTTPError.noTimeIndex }
        let edge = mark == nil ? nil : try Cursor(rows[itemCount], of: request)
        return try Page(rows, itemCount, isCut: isCut, edge: edge, for: request)
    }
}

extension Cursor {
    /// The position behind a row.
    init(_ row: Row, of request: PageRequest) throws(DatabaseError) {
        self.init(
            isBackward: request.isBackward, id: try row.int64(0),
            createdAt: request.list.isByTime ? try row.int64(3) : nil)
    }
}

extension HTTPError {
    /// In a table from before, for which no index was created.
    static let noTimeIndex = HTTPError(
        .badRequest,
        "Query parameters created_after and created_before are not available: the table has no index items_created_at_id."
    )

    /// While it is being created, which takes minutes for a large table.
    static let timeIndexToCome = HTTPError(
        .serviceUnavailable,
        "Query parameters created_after and created_before are not available yet: the index items_created_at_id is being created."
    ).of(.unavailable).retryAfter(seconds: 30)
}
