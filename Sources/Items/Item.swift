public import Formatting
import HTTPTypes
import Postgres
public import Vial

/// One item, read from a row of `Item.columns` and written as JSON straight from the row's bytes.
public struct Item: JSONRepresentable, Sendable {
    /// What a statement selects or returns for an item, in this order. The table may be older than this service, with other
    /// types: a timestamp without time zone is one of the session's zone, as PostgreSQL takes it.
    static let columns = "id::int8, name::text, description::text, created_at::timestamptz, updated_at::timestamptz"

    /// The same by their names alone.
    static let columnNames = ["id", "name", "description", "created_at", "updated_at"]

    /// The same of items that may be longer than new ones, in a table from before: a text that is longer than that of a new
    /// item may be comes as `substitute`. `octet_length` knows the length of a value that is stored apart without
    /// fetching it.
    static let boundedColumns = """
        id::int8, CASE WHEN octet_length(name::text) > \(nameByteLimit) THEN \(substitute) ELSE name::text END AS name, \
        CASE WHEN octet_length(description::text) > \(descriptionByteLimit) THEN \(substitute) ELSE description::text END \
        AS description, created_at::timestamptz, updated_at::timestamptz
        """
    /// Longer than any text that is not replaced. Made for each: the bytes of a constant would be kept with every plan.
    private static let substitute = "lpad(id::text, \(substituteByteCount))"
    static let substituteByteCount = descriptionByteLimit + 1

    /// Characters of four bytes.
    private static let nameByteLimit = 4 * NewItem.nameLimit
    private static let descriptionByteLimit = 4 * NewItem.descriptionLimit
    /// What an item takes in the database at most, by the rules for new ones.
    static let byteLimit = nameByteLimit + descriptionByteLimit + 64
    /// Name and description together, in the database's encoding, of the longest item that is sent: one of a table from
    /// before.
    static let longestByteCount = 4 * 1_048_576

    /// Whether something stands in the place of a longer text, in rows of `boundedColumns`; or in a database that is not in
    /// UTF-8, whether a text has become longer on its way.
    static func lackTexts(_ rows: Rows) -> Bool {
        (0..<rows.count).contains { lacksText(rows[$0]) }
    }

    private static func lacksText(_ row: Row) -> Bool {
        var lacksText = false
        // Without such columns nothing stands there; whoever reads the row says so.
        try? row.withBytes(1, 2) { name, description in
            lacksText = (name?.count ?? 0) > nameByteLimit || (description?.count ?? 0) > descriptionByteLimit
        }
        return lacksText
    }

    public let id: Int64
    private let row: Row
    private let createdMicroseconds: Int64
    private let updatedMicroseconds: Int64

    /// - Throws: `DatabaseError.unexpectedResult` when the row is not one of `columns`.
    init(_ row: Row) throws(DatabaseError) {
        self.row = row
        id = try row.int64(0)
        // A moment that is not known is the epoch: every client reads it, as it would not read null.
        createdMicroseconds = try row.timestampMicroseconds(3) ?? 0
        updatedMicroseconds = try row.timestampMicroseconds(4) ?? 0
    }

    /// Its path below that of the collection.
    func path(in collection: [UInt8]) -> [UInt8] {
        var path: [UInt8] = []
        path.append(addingCapacity: collection.count + 21) { path in
            path.append(span: collection.span)
            path.append(0x2F)
            path.append(decimal: id)
        }
        return path
    }

    public func write(to json: inout JSONWriter) throws {
        var timestamps = TimestampWriter()
        try write(to: &json, with: &timestamps)
    }

    func write(to json: inout JSONWriter, with timestamps: inout TimestampWriter) throws(DatabaseError) {
        guard row.isUTF8 else {
            let name = try row.optionalText(1).map { Array($0.utf8) }
            let description = try row.optionalText(2).map { Array($0.utf8) }
            return write(name?.span, description?.span, to: &json, with: &timestamps)
        }
        try row.withBytes(1, 2) { write($0, $1, to: &json, with: &timestamps) }
    }

    /// Written as one value in room that is reserved once: member by member, a page of 20 took 50,000 instructions more.
    @inline(__always)
    private func write(
        _ name: Span<UInt8>?, _ description: Span<UInt8>?, to json: inout JSONWriter,
        with timestamps: inout TimestampWriter
    ) {
        let isPlain = (name: name?.isPlainJSON ?? true, description: description?.isPlainJSON ?? true)
        let nameLimit = name?.jsonByteLimit(isPlain: isPlain.name) ?? 4
        let descriptionLimit = description?.jsonByteLimit(isPlain: isPlain.description) ?? 4
        json.value(upTo: Self.frameByteLimit + nameLimit + descriptionLimit) { output in
            output.append(literal: #"{"id":"#)
            output.append(decimal: id)
            output.append(literal: #","name":"#)
            output.append(jsonString: name, isPlain: isPlain.name)
            output.append(literal: #","description":"#)
            output.append(jsonString: description, isPlain: isPlain.description)
            output.append(literal: #","created_at":""#)
            timestamps.write(microseconds: createdMicroseconds, to: &output)
            output.append(literal: #"","updated_at":""#)
            timestamps.write(microseconds: updatedMicroseconds, to: &output)
            output.append(literal: #""}"#)
        }
    }

    /// What an item takes without its texts: the names of the members, its number of 20 digits and its timestamps.
    static let frameByteLimit = 80 + 20 + 2 * TimestampWriter.byteCount
}

extension OutputSpan<UInt8> {
    /// Appends a text or `null`.
    fileprivate mutating func append(jsonString utf8: Span<UInt8>?, isPlain: Bool) {
        if let utf8 { append(jsonString: utf8, isPlain: isPlain) } else { append(literal: "null") }
    }
}

/// What a client sends to make an item.
struct NewItem: JSONObjectDecodable {
    static let nameLimit = 255
    static let descriptionLimit = 10_000

    let name: String?
    let description: String?

    init(name: String?, description: String?) {
        self.name = name
        self.description = description
    }

    init?(_ members: JSONMembers) {
        switch (members.text("name"), members.text("description")) {
        case (.other, _), (_, .other): return nil
        case (.text(let name), .text(let description)): self.init(name: name, description: description)
        case (.text(let name), .none): self.init(name: name, description: nil)
        case (.none, .text(let description)): self.init(name: nil, description: description)
        case (.none, .none): self.init(name: nil, description: nil)
        }
    }

    /// What keeps every rule.
    typealias Valid = (name: String, description: String?)

    /// The name trimmed and the description as it is.
    ///
    /// - Throws: `HTTPError` 422 with every rule that is broken.
    func validated() throws(HTTPError) -> Valid {
        var errors: [HTTPError.FieldError] = []
        let trimmed = (name ?? "").trimmed
        if name == nil {
            errors.append(.init(field: "name", message: "is required"))
        } else if trimmed.isEmpty {
            errors.append(.init(field: "name", message: "must not be empty"))
        } else if trimmed.hasMoreCharacters(than: Self.nameLimit) {
            errors.append(.init(field: "name", message: "must have at most \(Self.nameLimit) characters"))
        } else if trimmed.hasNull {
            errors.append(.init(field: "name", message: "must not contain U+0000"))
        }
        if let description {
            if description.hasMoreCharacters(than: Self.descriptionLimit) {
                errors.append(
                    .init(field: "description", message: "must have at most \(Self.descriptionLimit) characters"))
            } else if description.hasNull {
                errors.append(.init(field: "description", message: "must not contain U+0000"))
            }
        }
        guard errors.isEmpty else {
            throw HTTPError(.unprocessableContent, "The item breaks a rule.", errors: errors)
        }
        return (trimmed, description)
    }
}

extension String {
    /// Without white space at either end. Characters are Unicode's scalars, as PostgreSQL has them: Swift's take a space and
    /// the accent that follows it for one, which would be lost with the space.
    var trimmed: String {
        // Nearly every text begins and ends with a visible ASCII character, and is itself.
        if let first = utf8.first, let last = utf8.last, 0x21...0x7E ~= first, 0x21...0x7E ~= last { return self }
        var rest = unicodeScalars[...]
        while let first = rest.first, first.properties.isWhitespace { rest.removeFirst() }
        while let last = rest.last, last.properties.isWhitespace { rest.removeLast() }
        // A text made of the slice itself would begin and end with whole characters in Swift's sense.
        return String(String.UnicodeScalarView(rest))
    }

    /// Counted as PostgreSQL counts them, which are never more than the bytes.
    fileprivate func hasMoreCharacters(than limit: Int) -> Bool {
        utf8.count > limit && unicodeScalars.count > limit
    }

    fileprivate var hasNull: Bool { !utf8.span.isPlainJSON && utf8.contains(0) }
}
