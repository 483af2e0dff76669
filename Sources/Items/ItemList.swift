import HTTPTypes
import Postgres
import Vial

/// A list of items: its order, and which items are in it.
struct ItemList: Equatable, Sendable {
    enum Order: String, QueryParameter {
        case ascending = "asc"
        case descending = "desc"

        init?(queryValue: String) { self.init(rawValue: queryValue) }
        static var expectation: String { "asc or desc" }
    }

    let order: Order
    /// Nil for the list of all items.
    let filter: ListFilter?

    /// Whether the order is that of (`created_at`, `id`), and not of `id`.
    var isByTime: Bool { filter?.isByTime ?? false }
}

/// Which items are in a list. An object, because most lists have none.
final class ListFilter: Equatable, Sendable {
    /// Most ids of a list.
    static let idLimit = 100
    /// Most characters of a searched text: those of a name.
    static let textLimit = NewItem.nameLimit

    /// A part of the name, in any case.
    let text: String?
    let createdAfter: Timestamp?
    let createdBefore: Timestamp?
    /// Ascending and distinct.
    let ids: [Int64]?

    var isByTime: Bool { createdAfter != nil || createdBefore != nil }

    init(text: String? = nil, createdAfter: Timestamp? = nil, createdBefore: Timestamp? = nil, ids: [Int64]? = nil) {
        self.text = text
        self.createdAfter = createdAfter
        self.createdBefore = createdBefore
        self.ids = ids
    }

    /// - Throws: `HTTPError` 400 naming the invalid query parameter.
    convenience init?(_ parameters: ListParameters) throws(HTTPError) {
        guard parameters.hasFilter else { return nil }
        let ids = try parameters.ids.map(Self.ids)
        if ids != nil {
            for other in [ListParameters.Name.q, .createdAfter, .createdBefore] where parameters[other] != nil {
                throw HTTPError(
                    .badRequest, "Query parameters ids and \(other.rawValue) cannot be combined.")
            }
        }
        self.init(
            text: try parameters.q.map(Self.text),
            createdAfter: try Self.time(parameters, .createdAfter),
            createdBefore: try Self.time(parameters, .createdBefore), ids: ids)
    }

    private static func text(_ value: String) throws(HTTPError) -> String {
        guard (1...textLimit).contains(value.unicodeScalars.count) else {
            throw HTTPError(.badRequest, "Query parameter q must be 1 to \(textLimit) characters.")
        }
        return value
    }

    private static func ids(_ value: String) throws(HTTPError) -> [Int64] {
        let numbers = value.split(separator: ",", omittingEmptySubsequences: false)
        let ids = numbers.prefix(idLimit + 1).compactMap { number -> Int64? in
            guard let id = Int64(number), String(id) == number else { return nil }
            return id
        }
        guard ids.count == numbers.count, ids.count <= idLimit else {
            throw HTTPError(
                .badRequest, "Query parameter ids must be 1 to \(idLimit) ids of items, separated by commas.")
        }
        return Array(Set(ids)).sorted()
    }

    private static func time(
        _ parameters: ListParameters, _ name: ListParameters.Name
    ) throws(HTTPError) -> Timestamp? {
        guard let value = parameters[name] else { return nil }
        guard let time = Timestamp(value) else {
            throw HTTPError(
                .badRequest,
                "Query parameter \(name.rawValue) must be a time of RFC 3339 such as 2024-11-01T12:00:00Z; a plus sign is %2B."
            )
        }
        return time
    }

    static func == (left: ListFilter, right: ListFilter) -> Bool {
        left.text == right.text && left.createdAfter == right.createdAfter
            && left.createdBefore == right.createdBefore && left.ids == right.ids
    }

    /// Appends what distinguishes it from every other filter.
    func append(to hash: inout SipHash) {
        if let text {
            hash.append(1)
            hash.append(counted: text.utf8)
        }
        for (tag, time) in [(UInt64(2), createdAfter), (3, createdBefore)] {
            guard let time else { continue }
            hash.append(tag)
            hash.append(UInt64(bitPattern: time.microsecondsSinceEpoch))
        }
        if let ids {
            hash.append(4)
            for id in ids { hash.append(UInt64(bitPattern: id)) }
        }
    }

    /// The query parameters of the same filter, each behind an ampersand.
    var query: String {
        var query = ""
        if let text { query += "&q=" + Self.percentEncoded(text) }
        if let createdAfter { query += "&created_after=\(createdAfter)" }
        if let createdBefore { query += "&created_before=\(createdBefore)" }
        if let ids { query += "&ids=" + ids.map(String.init).joined(separator: ",") }
        return query
    }

    /// Everything but unreserved characters (RFC 3986 §2.3).
    private static func percentEncoded(_ text: String) -> String {
        var encoded: [UInt8] = []
        let digits = Array("0123456789ABCDEF".utf8)
        for byte in text.utf8 {
            switch byte {
            case 0x30...0x39, 0x41...0x5A, 0x61...0x7A, UInt8(ascii: "-"), UInt8(ascii: "."), UInt8(ascii: "_"),
                UInt8(ascii: "~"):
                encoded.append(byte)
            default: encoded += [UInt8(ascii: "%"), digits[Int(byte >> 4)], digits[Int(byte & 0xF)]]
            }
        }
        return String(decoding: encoded, as: UTF8.self)
    }
}
