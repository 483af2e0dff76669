public import Formatting
import HTTPTypes
import Postgres
public import Vial

/// One item, read from a row of `Item.columns` and written as JSON directly from the row's bytes.
public struct Item: Tagged, Sendable {
    /// The columns that a statement selects or returns for an item, in this order. The table may be older than this
    /// service, with other types: a timestamp without time zone is in the session's time zone, as in PostgreSQL.
    static let columns = "id::int8, name::text, description::text, created_at::timestamptz, updated_at::timestamptz"

    /// The names of the same columns.
    static let columnNames = ["id", "name", "description", "created_at", "updated_at"]

    /// The same for items that may be longer than new ones, in a table from before: a text longer than a new item's may
    /// be is replaced by `substitute`. `octet_length` gets the length of a value that is stored out of line without
    /// reading it.
    static let boundedColumns = """
        id::int8, CASE WHEN octet_length(name::text) > \(nameByteLimit) THEN \(substitute) ELSE name::text END AS name, \
        CASE WHEN octet_length(description::text) > \(descriptionByteLimit) THEN \(substitute) ELSE description::text END \
        AS description, created_at::timestamptz, updated_at::timestamptz
        """
    /// Longer than any text that is not replaced. Computed for each row, because the bytes of a constant would be kept
    /// in every plan.
    private static let substitute = "lpad(id::text, \(substituteByteCount))"
    static let substituteByteCount = descriptionByteLimit + 1

    /// Characters have up to four bytes.
    private static let nameByteLimit = 4 * NewItem.nameLimit
    private static let descriptionByteLimit = 4 * NewItem.descriptionLimit
    /// The most bytes of an item in the database, by the rules for new ones.
    static let byteLimit = nameByteLimit + descriptionByteLimit + 64
    /// The most bytes of name and description together, in the database's encoding, of an item that is sent: for a
    /// table from before.
    static let longestByteCount = 4 * 1_048_576

    /// Whether a longer text was replaced, in rows of `boundedColumns`; or, with a database encoding other than UTF-8,
    /// whether a text has become longer by conversion.
    static func lackTexts(_ rows: Rows) -> Bool {
        (0..<rows.count).contains { lacksText(rows[$0]) }
    }

    private static func lacksText(_ row: Row) -> Bool {
        var lacksText = false
        // Rows without these columns have no replaced text; reading such a row reports the error.
        try? row.withBytes(1, 2) { name, description in
            lacksText = (name?.count ?? 0) > nameByteLimit || (description?.count ?? 0) > descriptionByteLimit
        }
        return lacksText
    }

    public let id: Int64
    private let row: Row
    private let createdMicroseconds: Int64
    let updatedMicroseconds: Int64

    /// - Throws: `DatabaseError.unexpectedResult` when the row is not one of `columns`.
    init(_ row: Row) throws(DatabaseError) {
        self.row = row
        id = try row.int64(0)
        // An unknown time is written as the epoch, which every client can read, unlike null.
        createdMicroseconds = try row.timestampMicroseconds(3) ?? 0
        updatedMicroseconds = try row.timestampMicroseconds(4) ?? 0
    }

    public var entityTag: EntityTag { ItemTag.tag(microseconds: updatedMicroseconds) }

    /// The last member's value.
    public func entityTagRange(inJSON byteCount: Int) -> Range<Int>? {
        byteCount - TimestampWriter.byteCount - 3..<byteCount - 1
    }

    /// The item's path, below that of the collection.
    func path(in collection: [UInt8]) -> [UInt8] {
        var path: [UInt8] = []
        path.append(addingCapacity: collection.count + 1 + DecimalText.mostByteCount) { path in
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

    /// Written as one value into room that is reserved once, which is much cheaper than member by member.
    @inline(__always)
    private func write(
        _ name: Span<UInt8>?, _ description: Span<UInt8>?, to json: inout JSONWriter,
        with timestamps: inout TimestampWriter
    ) {
        let isPlain = (name: name?.isPlainJSON ?? true, description: description?.isPlainJSON ?? true)
        let nameLimit = name?.jsonByteLimit(isPlain: isPlain.name) ?? 4
        let descriptionLimit = description?.jsonByteLimit(isPlain: isPlain.description) ?? 4
        json.value(upTo: Self.frameByteLimit + nameLimit + descriptionLimit) { output in
            output.append(literal: Frame.id)
            output.append(decimal: id)
            output.append(literal: Frame.name)
            output.append(jsonString: name, isPlain: isPlain.name)
            output.append(literal: Frame.description)
            output.append(jsonString: description, isPlain: isPlain.description)
            output.append(literal: Frame.createdAt)
            timestamps.write(microseconds: createdMicroseconds, to: &output)
            output.append(literal: Frame.updatedAt)
            timestamps.write(microseconds: updatedMicroseconds, to: &output)
            output.append(literal: Frame.end)
        }
    }

    /// The literals of an item, in order; the values are written between them.
    private enum Frame {
        // Computed properties: the compiler then knows each length where it is copied.
        @inline(__always) static var id: StaticString { #"{"id":"# }
        @inline(__always) static var name: StaticString { #","name":"# }
        @inline(__always) static var description: StaticString { #","description":"# }
        @inline(__always) static var createdAt: StaticString { #","created_at":""# }
        @inline(__always) static var updatedAt: StaticString { #"","updated_at":""# }
        @inline(__always) static var end: StaticString { #""}"# }

        static let byteCount = [id, name, description, createdAt, updatedAt, end].reduce(0) {
            $0 + $1.utf8CodeUnitCount
        }
    }

    /// Bytes of an item without its texts.
    static let frameByteLimit = Frame.byteCount + DecimalText.mostByteCount + 2 * TimestampWriter.byteCount
}

extension OutputSpan<UInt8> {
    /// Appends a text or `null`.
    fileprivate mutating func append(jsonString utf8: Span<UInt8>?, isPlain: Bool) {
        if let utf8 { append(jsonString: utf8, isPlain: isPlain) } else { append(literal: "null") }
    }
}

/// The body of a request that creates or replaces an item.
struct NewItem: JSONObjectDecodable {
    static let nameLimit = 255
    static let descriptionLimit = 10_000

    let name: String?
    let description: String?
    let others: OtherMembers

    init(name: String?, description: String?, others: OtherMembers = .none) {
        self.name = name
        self.description = description
        self.others = others
    }

    init?(_ members: JSONMembers) {
        guard let others = OtherMembers(members) else { return nil }
        switch (members.text("name"), members.text("description")) {
        case (.other, _), (_, .other): return nil
        case (.text(let name), .text(let description)):
            self.init(name: name, description: description, others: others)
        case (.text(let name), .none): self.init(name: name, description: nil, others: others)
        case (.none, .text(let description)): self.init(name: nil, description: description, others: others)
        case (.none, .none): self.init(name: nil, description: nil, others: others)
        }
    }

    init(from decoder: any Decoder) throws {
        let members = try decoder.container(keyedBy: OtherMembers.Name.self)
        self.init(
            name: try members.decodeIfPresent(String.self, forKey: .name),
            description: try members.decodeIfPresent(String.self, forKey: .description),
            others: OtherMembers(members))
    }

    /// An item that satisfies every rule.
    typealias Valid = (name: String, description: String?)

    /// The trimmed name and the unchanged description.
    ///
    /// - Parameter id: of the item to replace; nil for a new one.
    /// - Throws: `HTTPError` 422 with every broken rule.
    func validated(for id: Int64? = nil) throws(HTTPError) -> Valid {
        var errors: [HTTPError.FieldError] = []
        let trimmed = (name ?? "").trimmed
        if name == nil {
            errors.append(.init(field: "name", message: "is required"))
        } else if let fault = Self.fault(inName: trimmed) {
            errors.append(fault)
        }
        if let description, let fault = Self.fault(inDescription: description) { errors.append(fault) }
        if !others.isEmpty { errors += others.faults(for: id) }
        guard errors.isEmpty else { throw HTTPError(brokenRules: errors) }
        return (trimmed, description)
    }

    /// The rule that a trimmed name breaks; nil when it is valid.
    static func fault(inName trimmed: String) -> HTTPError.FieldError? {
        if trimmed.isEmpty { return .init(field: "name", message: "must not be empty") }
        if trimmed.hasMoreCharacters(than: nameLimit) {
            return .init(field: "name", message: "must have at most \(nameLimit) characters")
        }
        return trimmed.hasNull ? .init(field: "name", message: "must not contain U+0000") : nil
    }

    /// The rule that a description breaks; nil when it is valid.
    static func fault(inDescription description: String) -> HTTPError.FieldError? {
        if description.hasMoreCharacters(than: descriptionLimit) {
            return .init(field: "description", message: "must have at most \(descriptionLimit) characters")
        }
        return description.hasNull ? .init(field: "description", message: "must not contain U+0000") : nil
    }
}

extension HTTPError {
    init(brokenRules errors: [FieldError]) {
        self.init(.unprocessableContent, "The item breaks a rule.", errors: errors)
    }
}

extension String {
    /// Without white space at either end. Characters are Unicode scalars, as in PostgreSQL: Swift's `Character`
    /// combines a space with a following accent, which would be lost with the space.
    var trimmed: String {
        // Nearly every text begins and ends with a visible ASCII character, and needs no trimming.
        if let first = utf8.first, let last = utf8.last, 0x21...0x7E ~= first, 0x21...0x7E ~= last { return self }
        var rest = unicodeScalars[...]
        while let first = rest.first, first.properties.isWhitespace { rest.removeFirst() }
        while let last = rest.last, last.properties.isWhitespace { rest.removeLast() }
        // A text made from the slice itself would begin and end at boundaries of Swift's `Character`.
        return String(String.UnicodeScalarView(rest))
    }

    /// Counts as PostgreSQL does; a text has at most as many characters as bytes.
    fileprivate func hasMoreCharacters(than limit: Int) -> Bool {
        utf8.count > limit && unicodeScalars.count > limit
    }

    fileprivate var hasNull: Bool { !utf8.span.isPlainJSON && utf8.contains(0) }
}
