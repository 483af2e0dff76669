import Formatting
import Postgres
import Vial

/// The items that one request created, in the order of its body: `{"items":[…]}`.
struct CreatedItems: JSONRepresentable, Sendable {
    private let rows: Rows

    /// - Parameter count: how many were asked for.
    /// - Throws: `DatabaseError.droppedByTrigger` when there are none, `.unexpectedResult` when there are fewer.
    init(_ rows: Rows, count: Int) throws(DatabaseError) {
        if rows.isEmpty { throw .droppedByTrigger }
        guard rows.count == count else { throw .unexpectedResult("\(rows.count) rows of \(count) inserts") }
        self.rows = rows
    }

    var count: Int { rows.count }

    var byteEstimate: Int { 64 + rows.count * Item.frameByteLimit + rows.byteCount }

    func write(to json: inout JSONWriter) throws {
        var timestamps = TimestampWriter()
        json.beginObject()
        json.key("items")
        json.beginArray()
        for row in rows { try Item(row).write(to: &json, with: &timestamps) }
        json.endArray()
        json.endObject()
    }
}
