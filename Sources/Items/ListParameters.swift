import HTTP1
import HTTPTypes
import Vial

/// The query parameters of a list as text.
struct ListParameters: Sendable {
    enum Name: String, CaseIterable {
        case limit, cursor, order, q, ids
        case createdAfter = "created_after"
        case createdBefore = "created_before"
    }

    private(set) var limit: String?
    private(set) var cursor: String?
    private(set) var order: String?
    private(set) var q: String?
    private(set) var ids: String?
    private var createdAfter: String?
    private var createdBefore: String?

    /// Whether there is one that chooses items.
    private(set) var hasFilter = false

    subscript(name: Name) -> String? {
        switch name {
        case .limit: limit
        case .cursor: cursor
        case .order: order
        case .q: q
        case .ids: ids
        case .createdAfter: createdAfter
        case .createdBefore: createdBefore
        }
    }

    /// - Throws: `HTTPError` 400 naming a parameter that is unknown, repeated or badly encoded.
    init(_ head: RequestHead) throws(HTTPError) {
        if head.query == nil { return }
        var items = QueryItems(head)
        while let item = try Self.next(of: &items) {
            switch item.name {
            case "limit": try Self.set(&limit, item)
            case "cursor": try Self.set(&cursor, item)
            case "order": try Self.set(&order, item)
            default: try setFilter(item)
            }
        }
    }

    private mutating func setFilter(_ item: QueryItems.Item) throws(HTTPError) {
        switch item.name {
        case "q": try Self.set(&q, item)
        case "ids": try Self.set(&ids, item)
        case "created_after": try Self.set(&createdAfter, item)
        case "created_before": try Self.set(&createdBefore, item)
        default:
            throw HTTPError(.badRequest, "Query parameter \(item.name.prefix(Self.shownNameLimit)) is unknown.")
        }
        hasFilter = true
    }

    /// Characters of an unknown name that the answer repeats.
    private static let shownNameLimit = 64

    private static func set(_ value: inout String?, _ item: QueryItems.Item) throws(HTTPError) {
        guard value == nil else { throw HTTPError(.badRequest, "Query parameter \(item.name) is given twice.") }
        value = item.value
    }

    private static func next(of items: inout QueryItems) throws(HTTPError) -> QueryItems.Item? {
        do throws(ProtocolError) { return try items.next() } catch {
            throw HTTPError(.badRequest, error.detail)
        }
    }
}
