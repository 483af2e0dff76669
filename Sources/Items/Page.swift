import Formatting
import HTTP1
import HTTPTypes
import Postgres
import Vial

/// A page of items and the cursors of its neighbours.
struct Page: Sendable {
    private let rows: Rows
    private let request: PageRequest
    private let count: Int
    private let byteEstimate: Int
    /// The start of the next page; nil on the last one.
    let next: Cursor?
    /// The start of the previous page; nil on the first one. Every page that was reached by a cursor may have one.
    let previous: Cursor?

    /// - Parameter rows: in the order of `request.direction`, up to one more than requested, which shows that there are
    ///   more. The last one, after others, may lack its name: it is not on the page either.
    init(_ rows: Rows, for request: PageRequest) throws(DatabaseError) {
        let isCut = rows.count > 1 ? try rows[rows.count - 1].isNull(1) : false
        try self.init(rows, rows.count, isCut: isCut, edge: nil, for: request)
    }

    /// - Parameters:
    ///   - rowCount: how many of the rows are items, one more than requested or fewer.
    ///   - isCut: whether the last of these, which is not the only one, has no texts.
    ///   - edge: the position up to which the list was searched; nil when it was searched to its end.
    init(
        _ rows: Rows, _ rowCount: Int, isCut: Bool, edge: Cursor?, for request: PageRequest
    ) throws(DatabaseError) {
        self.rows = rows
        self.request = request
        let isFull: Bool
        (count, byteEstimate, isFull) = try Self.measure(rows, min(isCut ? rowCount - 1 : rowCount, request.limit))
        // An item that is longer than a page is returned alone, whether there are more or not.
        let hasMore = rowCount > count || isFull
        let onward = hasMore ? try Cursor(rows[count - 1], of: request) : edge
        guard let cursor = request.cursor else {
            (next, previous) = (onward, nil)
            return
        }
        // The items on the other side of the request's cursor are there, or were when it was handed out.
        let back = count > 0 ? try Cursor(rows[0], of: request).reversed : cursor.opposite(in: request.list)
        (next, previous) = cursor.isBackward ? (back, onward) : (onward, back)
    }

    /// How many of the first `most` rows are on the page, at least one if there is one; the room for them: an estimate
    /// for short texts, else enough to write a long page in place; and whether their texts exceed a page's bytes.
    private static func measure(
        _ rows: Rows, _ most: Int
    ) throws(DatabaseError) -> (count: Int, bytes: Int, isFull: Bool) {
        // Even if each of their bytes is written as six.
        if rows.byteCount <= PageRequest.byteLimit / 6 {
            return (most, 128 + most * Self.itemByteEstimate, false)
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
        let estimate = min(bytes, PageRequest.byteLimit) + room + 128 + count * Item.frameByteLimit
        return (count, estimate, bytes > PageRequest.byteLimit)
    }

    /// The answer to the page's request: its JSON with its entity tag and its links; 304 or 412 as the conditions have
    /// it.
    ///
    /// - Parameter path: the list's.
    func answer(path: [UInt8], if conditions: Preconditions) throws -> Answer {
        // Without conditions the tag is computed while the items are written, which read the same columns.
        if conditions.isEmpty { return try written(path: path) }
        return try .tagged(try tag(), if: conditions) {
            let texts = texts
            let answer = try Answer(status: .ok, contentType: "application/json", body: json(texts).bytes)
            return try links(texts, path: path).map { try answer.field("Link", utf8: $0) } ?? answer
        }
    }

    private func written(path: [UInt8]) throws -> Answer {
        let texts = texts
        let (bytes, state) = try json(texts)
        let links = links(texts, path: path)
        // In memory that is reserved once, with the fields that `Answer.tagged` adds.
        var fields = ResponseFields(reserving: (links?.count ?? 0) + 128)
        if let links { try fields.append(literal: "Link", utf8: links.span) }
        fields.append(Self.revalidated)
        try fields.append(literal: "ETag", utf8: state.tag(next: next, previous: previous).field.span)
        var response = Response(status: .ok, contentType: "application/json", body: bytes)
        response.fields = fields
        return Answer(response)
    }

    private static let revalidated: ResponseFields = {
        var fields = ResponseFields()
        fields.append(literal: "Cache-Control", "no-cache")
        fields.append(literal: "Vary", "Accept-Encoding")
        return fields
    }()

    private typealias Texts = (next: Cursor.Text?, previous: Cursor.Text?)

    private var texts: Texts { (next?.text(in: request.list), previous?.text(in: request.list)) }

    private func links(_ texts: Texts, path: [UInt8]) -> [UInt8]? {
        PageLinks(path: path, request: request).field(next: texts.next, previous: texts.previous)
    }

    private func json(_ texts: Texts) throws -> (bytes: [UInt8], state: PageState) {
        var json = JSONWriter(reserving: byteEstimate)
        json.beginObject()
        json.key("items")
        json.beginArray()
        let state = try Self.write(rows, count, isReversed: request.isBackward, to: &json)
        json.endArray()
        json.key("next_cursor")
        Self.write(texts.next, to: &json)
        json.key("prev_cursor")
        Self.write(texts.previous, to: &json)
        json.endObject()
        return (json.bytes, state)
    }

    private static func write(_ cursor: Cursor.Text?, to json: inout JSONWriter) {
        if let cursor { json.value(utf8: cursor.span) } else { json.null() }
    }

    private func tag() throws -> EntityTag {
        var state = PageState()
        for place in 0..<count {
            let row = rows[request.isBackward ? count - 1 - place : place]
            state.add(try row.int64(0), try row.timestampMicroseconds(4) ?? 0)
        }
        return state.tag(next: next, previous: previous)
    }

    // Not a method, which would copy the page three times for each of its rows.
    private static func write(
        _ rows: Rows, _ count: Int, isReversed: Bool, to json: inout JSONWriter
    ) throws(DatabaseError) -> PageState {
        var timestamps = TimestampWriter()
        var state = PageState()
        for place in 0..<count {
            let item = try Item(rows[isReversed ? count - 1 - place : place])
            try item.write(to: &json, with: &timestamps)
            state.add(item.id, item.updatedMicroseconds)
        }
        return state
    }

    /// An item with texts of a hundred bytes together; longer ones make the page grow a few times at most.
    private static let itemByteEstimate = 256
}

extension Cursor {
    /// The same position in the other direction.
    fileprivate var reversed: Cursor { Cursor(isBackward: !isBackward, id: id, createdAt: createdAt) }

    /// The cursor of the neighbour of an empty page: the same position, and the item at it, in the other direction. Nil
    /// when nothing can be there.
    fileprivate func opposite(in list: ItemList) -> Cursor? {
        // The item at this position follows the one with the neighbouring id, whether that exists or not.
        let isTowardsLargerIDs = (list.order == .ascending) == isBackward
        let (id, overflow) =
            isTowardsLargerIDs ? self.id.subtractingReportingOverflow(1) : self.id.addingReportingOverflow(1)
        return overflow ? nil : Cursor(isBackward: !isBackward, id: id, createdAt: createdAt)
    }
}
