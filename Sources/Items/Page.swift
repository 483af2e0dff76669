public import Formatting
import HTTPTypes
import Postgres
public import Vial

/// The requested items, and the end of the previous page.
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

    // The rows of a first page. It has no lower bound, because PostgreSQL would compare every key of an index page with
    // it.
    static let first = "ORDER BY items.id"
    static let firstDescending = "ORDER BY items.id DESC"
    static let next = "WHERE id > $2::int8 ORDER BY items.id"
    static let nextDescending = "WHERE id < $2::int8 ORDER BY items.id DESC"

    enum Order: String, QueryParameter {
        case ascending = "asc"
        case descending = "desc"

        init?(queryValue: String) { self.init(rawValue: queryValue) }
        static var expectation: String { "asc or desc" }
    }

    let limit: Int
    let order: Order
    /// Items after this id in the order; nil: from the start.
    let after: Int64?

    /// One row more than the page shows whether there is a next page.
    var rowLimit: Int { limit + 1 }

    /// `$1` and, after a cursor, `$2`.
    var parameters: [Parameter] {
        var parameters = [Parameter.int64(Int64(rowLimit))]
        if let after { parameters.append(.int64(after)) }
        return parameters
    }

    /// - Throws: `HTTPError` 400 naming the invalid query parameter.
    init(_ request: Request) throws {
        limit = try request.query("limit", default: Self.defaultLimit)
        guard Self.limits.contains(limit) else {
            throw HTTPError(.badRequest, "Query parameter limit must be between 1 and \(Self.limits.upperBound).")
        }
        order = try request.query("order", default: .ascending)
        if let cursor = try request.query("cursor", as: Cursor.self) {
            guard cursor.order == order else {
                throw HTTPError(.badRequest, "Query parameter cursor belongs to a list in the other order.")
            }
            after = cursor.after
        } else {
            after = nil
        }
    }
}

/// The end of a page, as a client returns it. Its text is opaque and may change.
struct Cursor: QueryParameter, Sendable {
    let order: PageRequest.Order
    let after: Int64

    init(order: PageRequest.Order, after: Int64) {
        self.order = order
        self.after = after
    }

    init?(queryValue: String) {
        guard let first = queryValue.utf8.first else { return nil }
        switch first {
        case UInt8(ascii: "a"): order = .ascending
        case UInt8(ascii: "d"): order = .descending
        default: return nil
        }
        let number = queryValue.dropFirst()
        // Only in the spelling of `text`.
        guard let after = Int64(number), number == String(after) else { return nil }
        self.after = after
    }

    static var expectation: String { "the next_cursor of another page" }

    var text: String { (order == .ascending ? "a" : "d") + String(after) }
}

/// A page of items and the cursor of the next one.
public struct Page: JSONRepresentable, Sendable {
    /// One row more than the page when there is a next page.
    private let rows: Rows
    private let request: PageRequest
    private let count: Int
    public let byteEstimate: Int
    /// Nil on the last page.
    let next: Cursor?

    /// - Parameter rows: up to one more than requested, which shows that there is a next page. The last one, after
    ///   others, may lack its name: it is not on the page either.
    init(_ rows: Rows, for request: PageRequest) throws(DatabaseError) {
        self.rows = rows
        self.request = request
        var most = min(rows.count, request.limit)
        if rows.count > 1, try rows[rows.count - 1].isNull(1) { most = min(most, rows.count - 1) }
        let isFull: Bool
        (count, byteEstimate, isFull) = try Self.measure(rows, most)
        // An item that is longer than a page is returned alone, whether there are more or not.
        let hasMore = rows.count > count || isFull
        next = hasMore ? Cursor(order: request.order, after: try rows[count - 1].int64(0)) : nil
    }

    /// How many of the first `most` rows are on the page, at least one if there is one; the room for them: an estimate
    /// for short texts, else enough to write a long page in place; and whether their texts exceed a page's bytes.
    private static func measure(
        _ rows: Rows, _ most: Int
    ) throws(DatabaseError) -> (count: Int, bytes: Int, isFull: Bool) {
        // Even if each of their bytes is written as six.
        if rows.byteCount <= PageRequest.byteLimit / 6 {
            return (most, 64 + most * Self.itemByteEstimate, false)
        }
        var count = 0
        var bytes = 0
        var room = 0
        while count < most {
            try rows[count].withBytes(1, 2) { name, description in
                bytes += (name?.jsonByteCount ?? 0) + (description?.jsonByteCount ?? 0)
                // The writer reserves an item's largest size.
                room = max(room, 6 * ((name?.count ?? 0) + (description?.count ?? 0)))
            }
            if bytes > PageRequest.byteLimit && count > 0 { break }
            count += 1
        }
        let estimate = min(bytes, PageRequest.byteLimit) + room + 64 + count * Item.frameByteLimit
        return (count, estimate, bytes > PageRequest.byteLimit)
    }

    /// The value of `Link` (RFC 8288), which names the next page of the same list; nil on the last page.
    ///
    /// - Parameter path: the list's.
    func link(path: [UInt8]) -> [UInt8]? {
        guard let next else { return nil }
        let parameters: StaticString = "?limit="
        let cursor: StaticString =
            request.order == .ascending ? "&order=asc&cursor=a" : "&order=desc&cursor=d"
        let relation: StaticString = ">; rel=\"next\""
        let literals = parameters.utf8CodeUnitCount + cursor.utf8CodeUnitCount + relation.utf8CodeUnitCount
        var link: [UInt8] = []
        link.append(addingCapacity: 1 + path.count + literals + 2 * DecimalText.mostByteCount) { link in
            link.append(0x3C)
            link.append(span: path.span)
            link.append(literal: parameters)
            link.append(decimal: request.limit)
            link.append(literal: cursor)
            link.append(decimal: next.after)
            link.append(literal: relation)
        }
        return link
    }

    public func write(to json: inout JSONWriter) throws {
        json.beginObject()
        json.key("items")
        json.beginArray()
        try Self.write(rows, count, to: &json)
        json.endArray()
        json.key("next_cursor")
        json.value(next?.text)
        json.endObject()
    }

    // Not a method, which would copy the page three times for each of its rows.
    private static func write(_ rows: Rows, _ count: Int, to json: inout JSONWriter) throws(DatabaseError) {
        var timestamps = TimestampWriter()
        for index in 0..<count { try Item(rows[index]).write(to: &json, with: &timestamps) }
    }

    /// An item with texts of a hundred bytes together; longer ones make the page grow a few times at most.
    private static let itemByteEstimate = 256
}
