import Postgres

/// The rows of the list of all items: `$2` is the id after which they come. A first page has no bound, because PostgreSQL
/// would compare every key of an index page with it.
enum PlainList {
    static let first = "ORDER BY items.id"
    static let firstDescending = "ORDER BY items.id DESC"
    static let next = "WHERE id > $2::int8 ORDER BY items.id"
    static let nextDescending = "WHERE id < $2::int8 ORDER BY items.id DESC"
}

extension ItemStore {
    /// A page of items. The query throws `HTTPError` when the table cannot serve the list.
    func page(_ request: PageRequest) -> Query<Page> {
        if let filter = request.list.filter { return filteredPage(request, filter) }
        let limit = Parameter.int64(Int64(request.rowLimit))
        let parameters = request.cursor.map { [limit, .int64($0.id)] } ?? [limit]
        return pool.query(Self.statement(for: request), parameters, rows: request.rowLimit) {
            try Page($0, for: request)
        }
    }

    private static func statement(for request: PageRequest) -> Statement {
        let isShort = request.limit <= PageRequest.shortLimit
        return switch (request.direction, request.cursor) {
        case (.ascending, nil): isShort ? firstPage : LongItems.firstPage
        case (.ascending, _): isShort ? nextPage : LongItems.nextPage
        case (.descending, nil): isShort ? firstPageDescending : LongItems.firstPageDescending
        case (.descending, _): isShort ? nextPageDescending : LongItems.nextPageDescending
        }
    }

    private func filteredPage(_ request: PageRequest, _ filter: ListFilter) -> Query<Page> {
        let (statement, parameters) = FilteredLists.selection(for: request, filter)
        // A search runs many times as long as other reads. Those that may return the most rows are sent alone, so no
        // other statement waits behind it for its answer.
        let rows = filter.text == nil ? request.rowLimit + 1 : PageRequest.limits.upperBound + 2
        return pool.query(statement, parameters, rows: rows) { try FilteredRows($0).page(for: request) }
    }
}
