import HTTPTypes
import Postgres
import Vial

/// A request for one page of a list.
struct PageRequest: Sendable {
    static let limits = 1...1000
    static let defaultLimit = 100
    /// Names and descriptions of a page together, in the database and in JSON; above, the page ends before its limit,
    /// because it is in memory as a whole.
    static let byteLimit = 1_048_576
    /// Bytes of a page's result: its texts and one more item, and libpq's memory for each row and value.
    static let resultByteLimit = byteLimit + Item.byteLimit + 256 * limits.upperBound
    /// This many items are below `byteLimit` in the database, however long they are, so the database need not count.
    static let shortLimit = byteLimit / Item.byteLimit - 1

    let limit: Int
    let list: ItemList
    /// Where the page begins; nil: at the start of the list.
    let cursor: Cursor?

    /// One row more than the page shows whether there are more items.
    var rowLimit: Int { limit + 1 }

    /// Whether it goes towards the start of the list, so that the rows come in reverse.
    var isBackward: Bool { cursor?.isBackward ?? false }

    /// The order in which the rows are read.
    var direction: ItemList.Order {
        (list.order == .ascending) != isBackward ? .ascending : .descending
    }

    init(limit: Int, list: ItemList, cursor: Cursor? = nil) {
        self.limit = limit
        self.list = list
        self.cursor = cursor
    }

    /// - Throws: `HTTPError` 400 naming the invalid query parameter.
    init(_ request: Request) throws(HTTPError) {
        let parameters = try ListParameters(request.head)
        limit = try parameters.limit.map(Self.limit) ?? Self.defaultLimit
        list = ItemList(order: try parameters.order.map(Self.order) ?? .ascending, filter: try ListFilter(parameters))
        guard let text = parameters.cursor else {
            cursor = nil
            return
        }
        guard let found = Cursor(text, in: list) else { throw .invalidCursor }
        cursor = found
    }

    private static func limit(_ value: String) throws(HTTPError) -> Int {
        guard let limit = Int(queryValue: value) else {
            throw HTTPError(.badRequest, "Query parameter limit must be \(Int.expectation).")
        }
        guard limits.contains(limit) else {
            throw HTTPError(.badRequest, "Query parameter limit must be between 1 and \(limits.upperBound).")
        }
        return limit
    }

    private static func order(_ value: String) throws(HTTPError) -> ItemList.Order {
        guard let order = ItemList.Order(queryValue: value) else {
            throw HTTPError(.badRequest, "Query parameter order must be \(ItemList.Order.expectation).")
        }
        return order
    }
}

extension HTTPError {
    /// The cursor was changed, or belongs to a list with another order or another filter.
    static let invalidCursor = HTTPError(
        .badRequest, "Query parameter cursor is no cursor of this list: start the list again without it."
    ).of(.cursor)
}
